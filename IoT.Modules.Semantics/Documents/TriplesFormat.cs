using System.Buffers;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Semantics.Turtle;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace IoT.Modules.Semantics.Documents;

/// <summary>A model as N-Triples.</summary>
internal static class TriplesFormat
{
    public const string ContentType = "application/n-triples";

    /// <summary>Whether somebody would rather have N-Triples than Turtle.</summary>
    public static bool IsWanted(HttpRequest request)
    {
        foreach (var accepted in request.GetTypedHeaders().Accept.OrderByDescending(a => a.Quality ?? 1))
        {
            if (new MediaTypeHeaderValue(DocumentEndpoints.Turtle).IsSubsetOf(accepted))
                return false;
            if (new MediaTypeHeaderValue(ContentType).IsSubsetOf(accepted))
                return true;
        }
        return false;
    }

    /// <summary>Read again, and written triple by triple; a fact that stands there twice comes twice.</summary>
    public static IResult Of(string name, ReadOnlyMemory<byte> turtle) => new Result(name, turtle);

    private sealed class Result(string name, ReadOnlyMemory<byte> turtle) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            var stop = httpContext.RequestAborted;
            var terms = new TermDictionary();
            var triples = new Sink();
            await Task.Run(() => TurtleParser.Parse(terms, name, turtle, null, triples, stop), stop);
            httpContext.Response.ContentType = ContentType;
            var output = httpContext.Response.BodyWriter;
            for (var i = 0; i < triples.Read.Count; i++)
            {
                NTriplesWriter.Write(output, terms, triples.Read[i]);
                if (output.UnflushedBytes > 64 * 1024)
                    await output.FlushAsync(stop);
            }
            await output.FlushAsync(stop);
        }
    }

    private sealed class Sink : ITripleSink
    {
        public List<TripleId> Read { get; } = [];

        public void Add(int subject, int predicate, int @object) => Read.Add(new TripleId(subject, predicate, @object));
    }
}
