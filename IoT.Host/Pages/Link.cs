namespace IoT.Host.Pages;

/// <summary>Addresses of pages whose parts come from outside.</summary>
internal static class Link
{
    public static string Device(string id) => $"/devices/{Uri.EscapeDataString(id)}";

    public static string Readings(string id, string format, DateTime? from = null) =>
        $"/api/v1{Device(id)}/data?format={format}{(from is null ? "" : $"&from={from:yyyy-MM-dd'T'HH:mm:ss'Z'}")}";

    public static string DevicesOfType(string type) => $"/devices?type={Uri.EscapeDataString(type)}";

    public static string DevicesAt(string location) => $"/devices?location={Uri.EscapeDataString(location)}";
}
