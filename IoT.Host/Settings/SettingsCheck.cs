using System.ComponentModel.DataAnnotations;
using System.Globalization;
using IoT.Host.Demo;
using IoT.Host.Operations;
using IoT.Modules.Caching;
using IoT.Modules.Gateway;
using IoT.Modules.Semantics;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;

namespace IoT.Host.Settings;

/// <summary>Every options class, and whether the configuration fits it: all that is wrong at once, a line each.</summary>
internal static class SettingsCheck
{
    /// <summary>The options classes with their sections; the README's table is held to this list.</summary>
    public static IReadOnlyList<(string Section, Type Type)> Sections { get; } =
    [
        (DataOptions.Section, typeof(DataOptions)),
        (ListenOptions.Section, typeof(ListenOptions)),
        (SecurityOptions.Section, typeof(SecurityOptions)),
        (GatewayOptions.Section, typeof(GatewayOptions)),
        (SemanticsOptions.Section, typeof(SemanticsOptions)),
        (StorageOptions.Section, typeof(StorageOptions)),
        (CachingOptions.Section, typeof(CachingOptions)),
        (LoggingOptions.Section, typeof(LoggingOptions)),
        (DemoOptions.Section, typeof(DemoOptions)),
    ];

    /// <exception cref="StartupException">A line for each wrong value: its key, the value, what is allowed.</exception>
    public static void ThrowIfWrong(IConfiguration configuration)
    {
        var lines = Sections.SelectMany(s => Check(configuration.GetSection(s.Section), s.Type)).ToList();
        if (lines.Count == 0)
            lines.AddRange(Check(configuration.GetSection(ListenOptions.Section).Get<ListenOptions>() ?? new()));
        // It may hold a password: not shown.
        if (configuration.GetConnectionString("Redis") is { Length: > 0 } redis && CachingModule.WhatIsWrongWith(redis) is { } wrong)
            lines.Add($"ConnectionStrings__Redis=… is not allowed: {wrong}. It is a list of host:port, then options, such as localhost:6379,password=….");
        if (lines.Count > 0)
            throw new StartupException(string.Join(Environment.NewLine, lines));
    }

    /// <summary>What only together is wrong.</summary>
    private static IEnumerable<string> Check(ListenOptions listen)
    {
        if (listen is { Http: 0, Mqtt: 0, Https: 0, MqttTls: 0 })
            yield return "Listen__Http=0 and Listen__Mqtt=0: one of them must be a port, or nothing can come in.";
        if (listen is { MqttTls: not 0, CertificatePath: null })
            yield return $"Listen__MqttTls={listen.MqttTls} needs Listen__CertificatePath, a PEM file with a certificate.";
        if (listen is { Https: not 0, CertificatePath: null })
            yield return $"Listen__Https={listen.Https} needs Listen__CertificatePath, a PEM file with a certificate.";
    }

    private static IEnumerable<string> Check(IConfigurationSection section, Type type)
    {
        var defaults = Activator.CreateInstance(type)!;
        foreach (var property in type.GetProperties().Where(p => p.CanWrite))
        {
            var value = section[property.Name];
            if (value is null)
                continue;
            if (!TryConvert(value, property.PropertyType, out var converted, out var expected))
            {
                yield return Line(section.Key, property.Name, value, expected);
                continue;
            }
            var results = new List<ValidationResult>();
            var context = new ValidationContext(defaults) { MemberName = property.Name };
            if (!Validator.TryValidateValue(converted!, context, results, property.GetCustomAttributes(typeof(ValidationAttribute), true).Cast<ValidationAttribute>()))
                yield return Line(section.Key, property.Name, value, results[0].ErrorMessage!);
        }
    }

    private static string Line(string section, string name, string value, string allowed) =>
        $"{section}__{name}={(name.Contains("Password", StringComparison.Ordinal) || name.Contains("Key", StringComparison.Ordinal) ? "…" : value)} is not allowed: {allowed}.";

    private static bool TryConvert(string text, Type type, out object? value, out string expected)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        value = null;
        expected = "";
        if (type == typeof(string))
        {
            value = text;
            return true;
        }
        if (type == typeof(bool))
        {
            expected = "true or false";
            var ok = bool.TryParse(text, out var flag);
            value = flag;
            return ok;
        }
        if (type == typeof(int))
        {
            expected = "a whole number";
            var ok = int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number);
            value = number;
            return ok;
        }
        if (type.IsEnum)
        {
            expected = string.Join(" or ", Enum.GetNames(type).Select(n => n.ToLowerInvariant()));
            return Enum.TryParse(type, text, ignoreCase: true, out value) && !int.TryParse(text, CultureInfo.InvariantCulture, out _);
        }
        throw new NotSupportedException($"Settings of type {type} need a conversion here.");
    }
}
