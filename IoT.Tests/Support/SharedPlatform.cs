using IoT.Tests.Support;
using Xunit;

[assembly: AssemblyFixture(typeof(SharedPlatform))]
[assembly: AssemblyFixture(typeof(OpenPlatform))]

namespace IoT.Tests.Support;

/// <summary>One running platform for all tests that don't stop or reconfigure theirs. Strangers are not let in.</summary>
public sealed class SharedPlatform : StartedPlatform;

/// <summary>Another one, which lets in devices and clients without credentials.</summary>
public sealed class OpenPlatform() : StartedPlatform(("Security__AnonymousDevices", "true"), ("Security__AnonymousTopics", "true"));

/// <summary>A platform that runs when the first test begins.</summary>
public abstract class StartedPlatform(params (string Key, string Value)[] settings) : Platform(settings), IAsyncLifetime
{
    public async ValueTask InitializeAsync() => await StartAsync();
}
