using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace IoT.Tests.Architecture;

/// <summary>The rules of the tower, as functions from assemblies or types to what breaks them.</summary>
internal static class Tower
{
    public const string Host = "IoT.Host";
    public const string Gateway = "IoT.Modules.Gateway";
    public const string Semantics = "IoT.Modules.Semantics";
    public const string Storage = "IoT.Modules.Storage";
    public const string Caching = "IoT.Modules.Caching";

    /// <summary>Each floor, and the floors below it.</summary>
    public static IReadOnlyDictionary<string, string[]> Floors { get; } = new Dictionary<string, string[]>
    {
        [Host] = [Gateway, Semantics, Storage, Caching],
        [Gateway] = [Semantics, Storage, Caching],
        [Semantics] = [Storage, Caching],
        [Storage] = [Caching],
        [Caching] = [],
    };

    /// <summary>Assemblies of ours that one uses and that don't stand below it.</summary>
    public static IReadOnlyList<string> NotBelow(Assembly assembly, IReadOnlyCollection<string> below) =>
        [.. AssembliesUsed(assembly).Where(used => used.StartsWith("IoT.", StringComparison.Ordinal) && !below.Contains(used))];

    /// <summary>Types that an assembly uses of a module beside its contracts and those that are allowed on top.</summary>
    public static IReadOnlyList<string> BesideContracts(Assembly assembly, string module, Func<string, bool> isAllowed) =>
        [.. TypesUsed(assembly, module).Where(type => !IsContract(type, module) && !isAllowed(type))];

    /// <summary>What only the Host may use of a module beside its contracts: how it is added and set up.</summary>
    public static bool IsEntrance(string type, string module) =>
        type.LastIndexOf('.') == module.Length && type.StartsWith(module, StringComparison.Ordinal)
        && (type.EndsWith("Module", StringComparison.Ordinal) || type.EndsWith("Options", StringComparison.Ordinal));

    /// <summary>Assemblies of Serilog that one uses.</summary>
    public static IReadOnlyList<string> Serilog(Assembly assembly) =>
        [.. AssembliesUsed(assembly).Where(used => used.StartsWith("Serilog", StringComparison.Ordinal))];

    /// <summary>Types that can be seen from outside of a module and are neither contracts nor its entrance.</summary>
    public static IReadOnlyList<string> Leaked(IEnumerable<Type> types, string module) =>
        [.. types.Where(type => type.IsVisible && !type.IsNested).Select(type => type.FullName!).Where(type => !IsContract(type, module) && !IsEntrance(type, module))];

    public static IReadOnlyList<string> AssembliesUsed(Assembly assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly.Location));
        var metadata = file.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(reference => metadata.GetString(metadata.GetAssemblyReference(reference).Name))];
    }

    private static List<string> TypesUsed(Assembly assembly, string module)
    {
        using var file = new PEReader(File.OpenRead(assembly.Location));
        var metadata = file.GetMetadataReader();
        var types = new List<string>();
        foreach (var handle in metadata.TypeReferences)
        {
            var type = metadata.GetTypeReference(handle);
            // A nested type is used with the one that it is in.
            if (type.ResolutionScope.Kind == HandleKind.AssemblyReference
                && metadata.GetString(metadata.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name) == module)
                types.Add($"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}");
        }
        return types;
    }

    private static bool IsContract(string type, string module) => type.StartsWith($"{module}.Contracts.", StringComparison.Ordinal);
}
