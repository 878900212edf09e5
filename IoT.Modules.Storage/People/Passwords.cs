using Microsoft.AspNetCore.Identity;

namespace IoT.Modules.Storage.People;

/// <summary>Password hashes by ASP.NET Core Identity's hasher (PBKDF2, HMAC-SHA-512, salted, with its parameters in the hash).</summary>
internal static class Passwords
{
    private static readonly PasswordHasher<string> Hasher = new();

    // Verified against when the name is unknown, so that the answer takes as long.
    private static readonly string Decoy = Hasher.HashPassword("", Guid.NewGuid().ToString());

    public static string Hash(string password) => Hasher.HashPassword("", password);

    public static bool Verify(string? hash, string password) =>
        Hasher.VerifyHashedPassword("", hash ?? Decoy, password) != PasswordVerificationResult.Failed && hash is not null;
}
