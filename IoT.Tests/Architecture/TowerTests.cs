using System.Reflection;
using IoT.Modules.Caching;
using IoT.Modules.Gateway;
using IoT.Modules.Semantics;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;
using Xunit;

namespace IoT.Tests.Architecture;

/// <summary>Each rule, and a sample that it catches.</summary>
public sealed class TowerTests
{
    private static readonly Assembly HostAssembly = Assembly.Load(Tower.Host);
    private static readonly Assembly GatewayAssembly = typeof(GatewayModule).Assembly;
    private static readonly Assembly SemanticsAssembly = typeof(SemanticsModule).Assembly;
    private static readonly Assembly StorageAssembly = typeof(StorageModule).Assembly;
    private static readonly Assembly CachingAssembly = typeof(CachingModule).Assembly;
    private static readonly Assembly TestAssembly = typeof(TowerTests).Assembly;
    private static readonly Assembly[] All = [HostAssembly, GatewayAssembly, SemanticsAssembly, StorageAssembly, CachingAssembly];

    [Fact]
    public void Every_project_has_its_floor()
    {
        var root = Support.Repository.Root;
        var projects = Directory.EnumerateFiles(root, "IoT.*.csproj", SearchOption.AllDirectories).Select(Path.GetFileNameWithoutExtension)
            .Where(name => name is not ("IoT.Tests" or "IoT.Benchmarks"));
        Assert.Equal(Tower.Floors.Keys.Order(), projects.Order());
    }

    [Fact]
    public void A_floor_uses_only_floors_below_it() =>
        Assert.All(All, assembly => Assert.Empty(Tower.NotBelow(assembly, Tower.Floors[assembly.GetName().Name!])));

    [Fact]
    public void A_floor_that_uses_one_above_it_is_caught()
    {
        Assert.Equal([Tower.Semantics, Tower.Storage], Tower.NotBelow(GatewayAssembly, []).Order());
        Assert.Contains(Tower.Host, Tower.NotBelow(TestAssembly, Tower.Floors[Tower.Host]));
    }

    [Fact]
    public void Modules_use_only_contracts() =>
        Assert.All([GatewayAssembly, SemanticsAssembly, StorageAssembly, CachingAssembly], assembly =>
            Assert.All(Tower.Floors[assembly.GetName().Name!], module => Assert.Empty(Tower.BesideContracts(assembly, module, _ => false))));

    [Fact]
    public void Only_the_host_uses_a_modules_entrance_and_nothing_else_beside_contracts() =>
        Assert.All(Tower.Floors[Tower.Host], module => Assert.Empty(Tower.BesideContracts(HostAssembly, module, type => Tower.IsEntrance(type, module))));

    [Fact]
    public void A_use_beside_the_contracts_is_caught()
    {
        Assert.Contains(typeof(StorageModule).FullName, Tower.BesideContracts(HostAssembly, Tower.Storage, _ => false));
        Assert.Contains("IoT.Modules.Storage.PrivatePostgres.PrivateServer", Tower.BesideContracts(TestAssembly, Tower.Storage, type => Tower.IsEntrance(type, Tower.Storage)));
        Assert.DoesNotContain(typeof(DeviceDirectory).FullName, Tower.BesideContracts(TestAssembly, Tower.Storage, _ => false));
    }

    [Fact]
    public void Only_the_host_knows_Serilog()
    {
        Assert.Empty(Tower.Serilog(GatewayAssembly));
        Assert.Empty(Tower.Serilog(SemanticsAssembly));
        Assert.Empty(Tower.Serilog(StorageAssembly));
        Assert.Empty(Tower.Serilog(CachingAssembly));
    }

    [Fact]
    public void A_use_of_Serilog_is_caught() => Assert.NotEmpty(Tower.Serilog(HostAssembly));

    [Fact]
    public void Modules_show_only_contracts_and_their_entrance()
    {
        Assert.Empty(Tower.Leaked(GatewayAssembly.GetTypes(), Tower.Gateway));
        Assert.Empty(Tower.Leaked(SemanticsAssembly.GetTypes(), Tower.Semantics));
        Assert.Empty(Tower.Leaked(StorageAssembly.GetTypes(), Tower.Storage));
        Assert.Empty(Tower.Leaked(CachingAssembly.GetTypes(), Tower.Caching));
    }

    [Fact]
    public void A_public_type_beside_the_contracts_is_caught()
    {
        Assert.Equal([typeof(TowerTests).FullName!], Tower.Leaked([typeof(TowerTests), typeof(Tower)], "IoT.Tests"));
        Assert.Equal([typeof(DeviceDirectory).FullName!], Tower.Leaked([typeof(DeviceDirectory), typeof(GatewayModule), typeof(GatewayOptions)], Tower.Gateway));
    }
}
