using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using IoT.Host.Settings;
using IoT.Modules.Gateway;
using Xunit;
using YamlDotNet.Serialization;

namespace IoT.Tests.Deploy;

/// <summary>The compose file and the image, held to the settings that the host really has. Files only; nothing is started.</summary>
public sealed partial class ComposeTests
{
    private const string TlsCompose = "deploy/docker-compose.tls.yml";

    private static readonly string Root = FindRoot();
    private static readonly string Compose = Read("docker-compose.yml");
    private static readonly string Dockerfile = Read("deploy/Dockerfile");
    private static readonly YamlMap Document = new(new DeserializerBuilder().Build().Deserialize<Dictionary<object, object?>>(Compose));

    private static readonly string[] ConnectionStrings = ["ConnectionStrings__Postgres", "ConnectionStrings__PostgresReplica", "ConnectionStrings__Redis"];

    public static TheoryData<string> Services => [.. Document.Map("services").Keys];

    [Fact]
    public void The_image_and_the_compose_file_have_the_ports_that_are_the_defaults()
    {
        var defaults = new ListenOptions();
        string[] ports = [Text(defaults.Http), Text(defaults.Mqtt)];

        var exposed = Instruction("EXPOSE").Split(' ');
        var published = Document.Map("services").Map("iot").List("ports").Select(p => WithDefaults(p).Split('/')[0].Split(':')).ToList();

        Assert.Equal(ports, exposed);
        Assert.Equal(ports, published.Select(p => p[0]));
        Assert.Equal(ports, published.Select(p => p[^1]));

        static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);
    }

    [Fact]
    public void The_host_listens_on_the_port_that_is_published_whatever_it_is_set_to()
    {
        var iot = Document.Map("services").Map("iot");
        foreach (var key in new[] { "Listen__Http", "Listen__Mqtt" })
        {
            var port = iot.Map("environment").Text(key);
            Assert.Contains($"{port}:{port}", iot.List("ports"));
        }
    }

    [Fact]
    public void With_the_TLS_file_the_host_listens_where_it_is_published_and_finds_its_certificates()
    {
        var iot = new YamlMap(new DeserializerBuilder().Build().Deserialize<Dictionary<object, object?>>(Read(TlsCompose))).Map("services").Map("iot");
        foreach (var key in new[] { "Listen__MqttTls", "Listen__Https" })
        {
            var port = iot.Map("environment").Text(key);
            Assert.Contains($"{port}:{port}", iot.List("ports"));
        }
        var folder = Assert.Single(iot.List("volumes")).Split(':')[1];
        foreach (var key in new[] { "Listen__CertificatePath", "Listen__CertificateKeyPath" })
            Assert.StartsWith($"{folder}/", iot.Map("environment").Text(key), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("docker-compose.yml")]
    [InlineData(TlsCompose)]
    [InlineData("deploy/Dockerfile")]
    [InlineData(".env.example")]
    public void Every_setting_that_a_file_names_is_one_of_the_hosts(string path)
    {
        var known = SettingsCheck.Sections
            .SelectMany(s => s.Type.GetProperties().Select(p => $"{s.Section}__{p.Name}"))
            .Concat(ConnectionStrings)
            .ToHashSet(StringComparer.Ordinal);

        var named = SettingName().Matches(Read(path)).Select(m => m.Value).ToList();

        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains(name, known));
    }

    [Fact]
    public void What_may_be_set_in_env_is_what_the_example_shows()
    {
        var used = Variable().Matches(Compose).Select(m => m.Groups["name"].Value).Distinct().Order(StringComparer.Ordinal);
        var shown = Lines(".env.example").Where(l => l.Length > 0 && l[0] != '#').Select(l => l.Split('=')[0]).Order(StringComparer.Ordinal);

        Assert.Equal(used, shown);
    }

    [Fact]
    public void What_the_example_shows_is_what_holds_without_it()
    {
        var shown = Lines(".env.example").Where(l => l.Length > 0 && l[0] != '#').Select(l => l.Split('=', 2));

        Assert.All(shown, pair => Assert.All(
            Variable().Matches(Compose).Where(m => m.Groups["name"].Value == pair[0]),
            use => Assert.Equal(pair[1], use.Groups["default"].Value.Trim())));
    }

    [Fact]
    public void No_file_holds_a_password_or_a_key()
    {
        var named = new[] { "docker-compose.yml", "deploy/Dockerfile", ".env.example" }
            .SelectMany(path => Lines(path).Select(line => (path, line)))
            .SelectMany(l => SecretValue().Matches(l.line).Select(m => (l.path, l.line, value: m.Groups["value"].Value.Trim(' ', '"', '\''))));

        // A path to it, or what .env says, blank by default.
        Assert.DoesNotContain(named, n => n.value.Length > 0 && n.value[0] != '/' && !SecretFromEnv().IsMatch(n.value));
    }

    [Fact]
    public void Every_image_has_a_tag()
    {
        var services = Document.Map("services");
        var images = services.Keys.Select(name => services.Map(name)).Where(s => s.Has("image")).Select(s => s.Text("image"))
            .Concat(Regex.Matches(Dockerfile, @"^FROM (\S+)", RegexOptions.Multiline).Select(m => m.Groups[1].Value))
            .ToList();

        Assert.NotEmpty(images);
        Assert.All(images, image => Assert.Matches(@"^[^\s:]+:(?!latest$)[\w.-]+$", image));
    }

    [Theory]
    [MemberData(nameof(Services))]
    public void Every_service_is_watched_restarted_and_bounded_in_its_logs(string name)
    {
        var service = Document.Map("services").Map(name);
        // One that runs once and ends has nothing to watch.
        if (service.Has("restart") && service.Text("restart") == "no")
            return;

        Assert.Equal("unless-stopped", service.Text("restart"));
        Assert.NotEmpty(service.Map("healthcheck").List("test"));
        Assert.True(service.Map("logging").Map("options").Has("max-size"), "its log grows without end");
    }

    [Fact]
    public void The_host_has_longer_to_stop_than_it_takes()
    {
        var grace = Document.Map("services").Map("iot").Text("stop_grace_period");
        var limit = Regex.Match(Read("IoT.Host/Operations/OperationsSetup.cs"), @"ShutdownTimeout = TimeSpan\.FromSeconds\((\d+)\)").Groups[1].Value;

        Assert.EndsWith("s", grace, StringComparison.Ordinal);
        Assert.True(int.Parse(grace[..^1], CultureInfo.InvariantCulture) > int.Parse(limit, CultureInfo.InvariantCulture), $"{grace} is not more than {limit} seconds");
    }

    [Fact]
    public void The_image_restores_every_project_that_the_host_is_made_of()
    {
        var projects = new HashSet<string>();
        Add("IoT.Host/IoT.Host.csproj");

        Assert.All(projects, project =>
        {
            var folder = Path.GetDirectoryName(project);
            Assert.Contains($"COPY {project} {folder}/packages.lock.json {folder}/", Dockerfile, StringComparison.Ordinal);
        });

        void Add(string project)
        {
            if (!projects.Add(project))
                return;
            foreach (var reference in XDocument.Load(Path.Combine(Root, project)).Descendants("ProjectReference"))
                Add(Path.GetRelativePath(Root, Path.GetFullPath(Path.Combine(Root, Path.GetDirectoryName(project)!, reference.Attribute("Include")!.Value))));
        }
    }

    [Fact]
    public void The_image_does_not_run_as_root() => Assert.Equal("$APP_UID", Instruction("USER"));

    private static string Instruction(string name) =>
        Assert.Single(Regex.Matches(Dockerfile, $"^{name} (.+)$", RegexOptions.Multiline)).Groups[1].Value;

    private static string WithDefaults(string text) => Variable().Replace(text, m => m.Groups["default"].Value);

    private static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static string[] Lines(string path) => Read(path).Split('\n');

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "IoT.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests run outside the repository.");
        return folder;
    }

    [GeneratedRegex(@"\b[A-Z][A-Za-z]+__[A-Z]\w+")]
    private static partial Regex SettingName();

    // $$ is compose's way to write one $ for the shell in the container.
    [GeneratedRegex(@"(?<!\$)\$\{?(?<name>[A-Za-z_]\w*)(:-(?<default>[^}]*))?\}?")]
    private static partial Regex Variable();

    [GeneratedRegex(@"(password|passwd|key|token|secret)\w*\s*[:=]\s*(?<value>[^;]*)", RegexOptions.IgnoreCase)]
    private static partial Regex SecretValue();

    [GeneratedRegex(@"^\$\{\w+:- ?\}$")]
    private static partial Regex SecretFromEnv();

    /// <summary>A YAML mapping whose members must be there when asked for.</summary>
    private sealed class YamlMap(Dictionary<object, object?> members)
    {
        public IEnumerable<string> Keys => members.Keys.Cast<string>();

        public bool Has(string key) => members.ContainsKey(key);

        public string Text(string key) => (string)Member(key);

        public IReadOnlyList<string> List(string key) => [.. ((List<object>)Member(key)).Cast<string>()];

        private object Member(string key) => members.GetValueOrDefault(key) ?? throw new KeyNotFoundException($"{key} is missing; there are {string.Join(", ", Keys)}");

        public YamlMap Map(string key) => new((Dictionary<object, object?>)Member(key));
    }
}
