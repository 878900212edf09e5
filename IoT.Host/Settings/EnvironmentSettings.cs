using Microsoft.Extensions.Configuration.EnvironmentVariables;

namespace IoT.Host.Settings;

/// <summary>
/// Environment variables as settings, where a blank one is a setting left out: compose files and unit files pass a variable that
/// nobody has set as <c>KEY=</c>, and that must neither stop the start nor become an empty password.
/// </summary>
internal static class EnvironmentSettings
{
    /// <summary>Takes the place of the framework's own sources, which keep blank variables.</summary>
    public static void IgnoreBlankVariables(this IConfigurationManager configuration)
    {
        for (var i = 0; i < configuration.Sources.Count; i++)
        {
            if (configuration.Sources[i] is EnvironmentVariablesConfigurationSource source)
                configuration.Sources[i] = new Source(source.Prefix);
        }
    }

    public static IConfigurationBuilder AddEnvironmentSettings(this IConfigurationBuilder configuration) =>
        configuration.Add(new Source(null));

    private sealed class Source(string? prefix) : IConfigurationSource
    {
        public IConfigurationProvider Build(IConfigurationBuilder builder) => new Provider(prefix);
    }

    private sealed class Provider(string? prefix) : EnvironmentVariablesConfigurationProvider(prefix)
    {
        public override void Load()
        {
            base.Load();
            Data = Data.Where(d => !string.IsNullOrWhiteSpace(d.Value)).ToDictionary(StringComparer.OrdinalIgnoreCase);
        }
    }
}
