using System.Buffers.Text;
using System.Security.Cryptography;

namespace IoT.Modules.Storage.Contracts;

/// <summary>Tokens, keys and generated passwords.</summary>
public static class Secrets
{
    /// <summary>256 random bits in 43 URL-safe characters.</summary>
    public static string NewToken() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
}
