using System.ComponentModel;
using System.Globalization;
using System.Reflection;
using System.Text;
using IoT.Host.Settings;

namespace IoT.Tests.Docs;

/// <summary>The README's table of settings, out of the options classes.</summary>
internal static class SettingsTable
{
    public static string Generate()
    {
        var table = new StringBuilder("| key | default | meaning |\n| --- | --- | --- |\n");
        foreach (var (section, type) in SettingsCheck.Sections)
        {
            var defaults = Activator.CreateInstance(type)!;
            foreach (var property in type.GetProperties().Where(property => property.CanWrite))
            {
                var meaning = property.GetCustomAttribute<DescriptionAttribute>()?.Description
                    ?? throw new InvalidOperationException($"{type.Name}.{property.Name} has no description.");
                table.Append(CultureInfo.InvariantCulture, $"| `{section}__{property.Name}` | {Shown(property.GetValue(defaults))} | {meaning} |\n");
            }
        }
        // Connection strings have no options class: they are .NET's own section.
        table.Append("| `ConnectionStrings__Postgres` | none | write pool, as Npgsql reads it; without it the host runs a PostgreSQL of its own under `Data__Directory` |\n");
        table.Append("| `ConnectionStrings__PostgresReplica` | as `ConnectionStrings__Postgres` | read pool; may name several hosts |\n");
        table.Append("| `ConnectionStrings__Redis` | none | second level of the cache, as StackExchange.Redis reads it (`localhost:6379,password=…`); without it that level is not there |\n");
        return table.ToString();
    }

    private static string Shown(object? value) => value switch
    {
        null => "none",
        bool flag => flag ? "`true`" : "`false`",
        int number => number.ToString(CultureInfo.InvariantCulture),
        Enum choice => $"`{choice.ToString().ToLowerInvariant()}`",
        _ => $"`{value}`",
    };
}
