namespace IoT.Modules.Semantics.Terms;

internal static class Rdf
{
    public const string Namespace = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
    public const string Type = Namespace + "type";
    public const string First = Namespace + "first";
    public const string Rest = Namespace + "rest";
    public const string Nil = Namespace + "nil";
    public const string LangString = Namespace + "langString";
}

internal static class Xsd
{
    public const string Namespace = "http://www.w3.org/2001/XMLSchema#";
    public const string String = Namespace + "string";
    public const string Boolean = Namespace + "boolean";
    public const string Integer = Namespace + "integer";
    public const string Decimal = Namespace + "decimal";
    public const string Double = Namespace + "double";
    public const string Float = Namespace + "float";
    public const string Date = Namespace + "date";
    public const string DateTime = Namespace + "dateTime";
    public const string Duration = Namespace + "duration";
    public const string DayTimeDuration = Namespace + "dayTimeDuration";
}

/// <summary>Terms that every dictionary holds at fixed indexes, so that code can name them.</summary>
internal static class Known
{
    public const int String = 1;
    public const int LangString = 2;
    public const int Boolean = 3;
    public const int Integer = 4;
    public const int Decimal = 5;
    public const int Double = 6;
    public const int Float = 7;
    public const int Date = 8;
    public const int DateTime = 9;
    public const int Type = 10;
    public const int First = 11;
    public const int Rest = 12;
    public const int Nil = 13;

    /// <summary>The types that XML Schema derives from integer lie from here to <see cref="LastDerivedInteger"/>.</summary>
    public const int FirstDerivedInteger = 14;
    public const int LastDerivedInteger = 25;

    /// <summary>In the order of their indexes, from 1.</summary>
    public static IReadOnlyList<string> Iris { get; } =
    [
        Xsd.String, Rdf.LangString, Xsd.Boolean, Xsd.Integer, Xsd.Decimal, Xsd.Double, Xsd.Float, Xsd.Date, Xsd.DateTime,
        Rdf.Type, Rdf.First, Rdf.Rest, Rdf.Nil,
        .. new[]
        {
            "long", "int", "short", "byte", "nonNegativeInteger", "positiveInteger", "nonPositiveInteger", "negativeInteger",
            "unsignedLong", "unsignedInt", "unsignedShort", "unsignedByte",
        }.Select(name => Xsd.Namespace + name),
    ];

    /// <summary>The truth values follow the IRIs.</summary>
    public const int True = 26;
    public const int False = 27;
    public const int Count = 28;
}
