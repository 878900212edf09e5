using System.Globalization;
using System.Text;

namespace IoT.Benchmarks.Semantics;

/// <summary>
/// One site in the languages of all engines: buildings of ten floors, floors of 25 rooms, four devices a room, a hierarchy of sensor
/// classes, a reading each. Values are multiples of 0.5, so that every engine computes exactly; gringo gets them times ten.
/// </summary>
internal sealed class Site
{
    public const string Names = "http://example.org/iot#";

    public const string Rules =
        """
        @prefix : <http://example.org/iot#>.
        @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#>.
        @prefix math: <http://www.w3.org/2000/10/swap/math#>.
        { ?a :locatedIn ?b. ?b :locatedIn ?c } => { ?a :locatedIn ?c }.
        { ?a rdfs:subClassOf ?b. ?b rdfs:subClassOf ?c } => { ?a rdfs:subClassOf ?c }.
        { ?x a ?c. ?c rdfs:subClassOf ?d } => { ?x a ?d }.
        { ?s a :TemperatureSensor; :reading ?v. ?v math:greaterThan 30 } => { ?s :status :Overheating }.
        { ?s a :HumiditySensor; :reading ?v. ?v math:greaterThan 80 } => { ?s :status :TooHumid }.
        { ?s a :CO2Sensor; :reading ?v. ?v math:greaterThan 1200 } => { ?s :status :PoorAir }.
        { ?s a :VibrationSensor; :reading ?v. ?v math:greaterThan 7 } => { ?s :status :Vibrating }.
        { ?r a :Room. ?a :locatedIn ?r; a :TemperatureSensor; :reading ?x. ?b :locatedIn ?r; a :TemperatureSensor; :reading ?y.
          (?x ?y) math:difference ?d. ?d math:greaterThan 5.25 } => { ?a :hotterThan ?b. ?r :status :SensorsDisagree }.
        { ?s :status ?st; :locatedIn ?l } => { ?l :hasProblem ?st }.
        """;

    private const string GringoRules =
        """
        t(A,locatedIn,C) :- t(A,locatedIn,B), t(B,locatedIn,C).
        t(A,sub,C) :- t(A,sub,B), t(B,sub,C).
        t(X,type,D) :- t(X,type,C), t(C,sub,D).
        t(S,status,overheating) :- t(S,type,c_TemperatureSensor), t(S,reading,V), V>300.
        t(S,status,tooHumid) :- t(S,type,c_HumiditySensor), t(S,reading,V), V>800.
        t(S,status,poorAir) :- t(S,type,c_CO2Sensor), t(S,reading,V), V>12000.
        t(S,status,vibrating) :- t(S,type,c_VibrationSensor), t(S,reading,V), V>70.
        dis(A,B,R) :- t(R,type,c_Room), t(A,locatedIn,R), t(A,type,c_TemperatureSensor), t(A,reading,X), t(B,locatedIn,R), t(B,type,c_TemperatureSensor), t(B,reading,Y), X-Y>52.
        t(A,hotterThan,B) :- dis(A,B,_).
        t(R,status,sensorsDisagree) :- dis(_,_,R).
        t(L,hasProblem,St) :- t(S,status,St), t(S,locatedIn,L).
        """;

    private const string ClipsRules =
        """
        (defrule tr (logical (t locatedIn ?a ?b) (t locatedIn ?b ?c)) => (assert (t locatedIn ?a ?c)))
        (defrule sc (logical (t sub ?a ?b) (t sub ?b ?c)) => (assert (t sub ?a ?c)))
        (defrule ty (logical (t a ?x ?c) (t sub ?c ?d)) => (assert (t a ?x ?d)))
        (defrule t1 (logical (t reading ?s ?v&:(> ?v 30)) (t a ?s TemperatureSensor)) => (assert (t status ?s Overheating)))
        (defrule t2 (logical (t reading ?s ?v&:(> ?v 80)) (t a ?s HumiditySensor)) => (assert (t status ?s TooHumid)))
        (defrule t3 (logical (t reading ?s ?v&:(> ?v 1200)) (t a ?s CO2Sensor)) => (assert (t status ?s PoorAir)))
        (defrule t4 (logical (t reading ?s ?v&:(> ?v 7)) (t a ?s VibrationSensor)) => (assert (t status ?s Vibrating)))
        (defrule dj (logical (t locatedIn ?a ?r) (t a ?r Room) (t a ?a TemperatureSensor) (t reading ?a ?x) (t locatedIn ?b ?r) (t a ?b TemperatureSensor) (t reading ?b ?y&:(> (- ?x ?y) 5.25))) => (assert (t hotterThan ?a ?b)) (assert (t status ?r SensorsDisagree)))
        (defrule up (logical (t status ?s ?st) (t locatedIn ?s ?l)) => (assert (t hasProblem ?l ?st)))
        (defrule replace (declare (salience 100)) ?u <- (update ?s ?v) ?f <- (t reading ?s ?) => (retract ?u ?f) (assert (t reading ?s ?v)))
        """;

    private static readonly (string Class, string Of)[] Classes =
    [
        ("CeilingTempSensor", "TemperatureSensor"), ("WallTempSensor", "TemperatureSensor"), ("TemperatureSensor", "AirSensor"),
        ("HumiditySensor", "AirSensor"), ("CO2Sensor", "AirSensor"), ("AirSensor", "Sensor"), ("VibrationSensor", "MachineSensor"),
        ("MachineSensor", "Sensor"), ("Sensor", "Point"), ("Point", "Entity"), ("Room", "Location"), ("Floor", "Location"),
        ("Building", "Location"), ("Site", "Location"), ("Location", "Entity"),
    ];

    private static readonly (string Class, double Mean, double Spread)[] Kinds =
        [("CeilingTempSensor", 22, 4), ("WallTempSensor", 22, 4), ("HumiditySensor", 55, 14), ("CO2Sensor", 750, 250), ("VibrationSensor", 3, 2.2)];

    private readonly List<(string Subject, string Predicate, string Object)> _facts = [];
    private readonly Random _random = new(1);

    public Site(int devices, int updates)
    {
        foreach (var (name, of) in Classes)
            _facts.Add((name, "rdfs:subClassOf", of));
        _facts.Add(("site0", "a", "Site"));
        var rooms = (devices + 3) / 4;
        var floors = (rooms + 24) / 25;
        for (var i = 0; i < (floors + 9) / 10; i++)
            Place("b", i, "Building", "site0");
        for (var i = 0; i < floors; i++)
            Place("f", i, "Floor", Name("b", i / 10));
        for (var i = 0; i < rooms; i++)
            Place("r", i, "Room", Name("f", i / 25));
        var kinds = new int[devices];
        var values = new double[devices];
        for (var i = 0; i < devices; i++)
        {
            kinds[i] = _random.Next(Kinds.Length);
            values[i] = Value(kinds[i]);
            Place("d", i, Kinds[kinds[i]].Class, Name("r", i / 4));
            Readings.Add((Name("d", i), values[i]));
        }
        while (Updates.Count < updates)
        {
            var device = _random.Next(devices);
            var value = Value(kinds[device]);
            if (value == values[device])
                continue;
            values[device] = value;
            Updates.Add((Name("d", device), value));
        }
    }

    /// <summary>What each device measures first.</summary>
    public List<(string Device, double Value)> Readings { get; } = [];

    /// <summary>What takes its place, in this order; never the same value again.</summary>
    public List<(string Device, double Value)> Updates { get; } = [];

    public int Asserted => _facts.Count + Readings.Count;

    /// <summary>Turtle, with the readings or without.</summary>
    public byte[] Turtle(bool withReadings)
    {
        var text = new StringBuilder("@prefix : <http://example.org/iot#>.\n@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#>.\n");
        foreach (var (subject, predicate, @object) in _facts)
            text.Append(CultureInfo.InvariantCulture, $":{subject} {(predicate is "a" or "rdfs:subClassOf" ? predicate : ":" + predicate)} :{@object}.\n");
        foreach (var (device, value) in withReadings ? Readings : [])
            text.Append(CultureInfo.InvariantCulture, $":{device} :reading {value:0.0}.\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    public async Task WriteAsync(string folder, CancellationToken cancellationToken)
    {
        await File.WriteAllBytesAsync(Path.Combine(folder, "facts.ttl"), Turtle(withReadings: true), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "rules.n3"), Rules, cancellationToken);
        var gringo = new StringBuilder();
        foreach (var (subject, predicate, @object) in _facts)
            gringo.Append(CultureInfo.InvariantCulture, $"t({Constant(subject)},{predicate switch { "a" => "type", "rdfs:subClassOf" => "sub", _ => predicate }},{Constant(@object)}).\n");
        foreach (var (device, value) in Readings)
            gringo.Append(CultureInfo.InvariantCulture, $"t({device},reading,{(int)(value * 10)}).\n");
        await File.WriteAllTextAsync(Path.Combine(folder, "facts.lp"), gringo.ToString(), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "rules.lp"), GringoRules, cancellationToken);
        var clips = new StringBuilder();
        foreach (var (subject, predicate, @object) in _facts)
            clips.Append(CultureInfo.InvariantCulture, $"(t {(predicate == "rdfs:subClassOf" ? "sub" : predicate)} {subject} {@object})\n");
        foreach (var (device, value) in Readings)
            clips.Append(CultureInfo.InvariantCulture, $"(t reading {device} {value:0.0})\n");
        await File.WriteAllTextAsync(Path.Combine(folder, "facts.clp"), clips.ToString(), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "rules.clp"), ClipsRules, cancellationToken);
        var updates = new StringBuilder();
        foreach (var (device, value) in Updates)
            updates.Append(CultureInfo.InvariantCulture, $"{device} {value:0.0}\n");
        await File.WriteAllTextAsync(Path.Combine(folder, "updates.txt"), updates.ToString(), cancellationToken);
    }

    private void Place(string prefix, int number, string kind, string within)
    {
        _facts.Add((Name(prefix, number), "a", kind));
        _facts.Add((Name(prefix, number), "locatedIn", within));
    }

    private static string Name(string prefix, int number) => string.Create(CultureInfo.InvariantCulture, $"{prefix}{number}");

    private static string Constant(string name) => char.IsAsciiLetterUpper(name[0]) ? "c_" + name : name;

    private double Value(int kind)
    {
        var (_, mean, spread) = Kinds[kind];
        var normal = Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
        return Math.Max(0, Math.Round((mean + (spread * normal)) * 2) / 2);
    }
}
