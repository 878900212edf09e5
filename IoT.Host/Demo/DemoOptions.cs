using System.ComponentModel;

namespace IoT.Host.Demo;

/// <summary>The simulated factory. Section <c>Demo</c>; <c>./run --demo</c> turns it on.</summary>
public sealed class DemoOptions
{
    public const string Section = "Demo";

    /// <summary>Default false.</summary>
    [Description("`true` runs 20 simulated devices over real MQTT connections; `./run --demo` sets it")]
    public bool Enabled { get; set; }
}
