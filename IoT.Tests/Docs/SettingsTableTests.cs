using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Docs;

public sealed class SettingsTableTests
{
    private const string Begin = "<!-- settings:begin -->";
    private const string End = "<!-- settings:end -->";

    [Fact]
    public async Task The_readme_has_every_setting_as_the_options_classes_have_it()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "README.md"), TestContext.Current.CancellationToken);
        var expected = SettingsTable.Generate();
        if (TableIn(readme) == expected.Trim())
            return;

        var path = Repository.Output("settings-table.md");
        await File.WriteAllTextAsync(path, expected, TestContext.Current.CancellationToken);
        Assert.Fail($"The README's table of settings is not that of the options classes. Put {path} between {Begin} and {End}.");
    }

    [Fact]
    public void A_setting_that_is_missing_is_noticed()
    {
        var rows = SettingsTable.Generate().Split('\n');
        Assert.True(rows.Length > 20);
        Assert.NotEqual(SettingsTable.Generate().Trim(), TableIn($"{Begin}\n{string.Join('\n', rows[..5])}\n{End}"));
        Assert.Equal(SettingsTable.Generate().Trim(), TableIn($"{Begin}\n{SettingsTable.Generate()}\n{End}"));
    }

    private static string TableIn(string readme)
    {
        var begin = readme.IndexOf(Begin, StringComparison.Ordinal);
        var end = readme.IndexOf(End, StringComparison.Ordinal);
        return begin < 0 || end < begin ? "" : readme[(begin + Begin.Length)..end].Trim();
    }
}
