using System.Buffers;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Documents;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Naming;
using IoT.Modules.Semantics.Reasoning;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Semantics.Facts;

internal sealed class ListFactsHandler(SemanticEngine engine) : IRequestHandler<ListFacts, Outcome<FactList>>
{
    public Task<Outcome<FactList>> Handle(ListFacts request, CancellationToken cancellationToken) =>
        engine.InTurnAsync<FactList>(
            knowledge =>
            {
                TermId subject = default;
                if (request.Subject is { } name)
                {
                    subject = knowledge.Terms.Find(Knowledge.TermOfName(Names.OfSubject(name)));
                    if (subject.IsNone)
                        return new Facts(null, knowledge.Terms);
                }
                return new Facts(knowledge.Base.Query(subject, kind: request.Derived switch { null => FactKind.All, true => FactKind.Derived, false => FactKind.Asserted }), knowledge.Terms);
            }, cancellationToken);

    private sealed class Facts(FactSnapshot? facts, TermDictionary terms) : FactList
    {
        public override int Count => facts?.Count ?? 0;

        public override void Write(int index, IBufferWriter<byte> output) => NTriplesWriter.Write(output, terms, facts![index].Fact);

        protected override void Dispose(bool disposing)
        {
            facts?.Dispose();
            base.Dispose(disposing);
        }
    }
}

internal static class FactEndpoint
{
    private const int FlushBytes = 64 * 1024;

    public static void MapFacts(this IEndpointRouteBuilder api) =>
        api.MapGet("/facts", async (IMediator mediator, HttpContext http, string? subject, bool? derived, CancellationToken stop) =>
            {
                var listed = await mediator.Send(new ListFacts(subject, derived), stop);
                if (listed.Failure is { } failure)
                    return failure.ToResult();
                using var facts = listed.Value;
                http.Response.ContentType = TriplesFormat.ContentType;
                var output = http.Response.BodyWriter;
                for (var i = 0; i < facts.Count; i++)
                {
                    facts.Write(i, output);
                    if (output.UnflushedBytes > FlushBytes)
                        await output.FlushAsync(stop);
                }
                await output.FlushAsync(stop);
                return Results.Empty;
            })
            .WithTags("Inferences").RequireAuthorization(Policies.View)
            .Produces<string>(200, TriplesFormat.ContentType).ProducesProblem(503)
            .WithSummary("The facts of this moment; derived=false: asserted ones, derived=true: derived ones; subject: an IRI or a device's id");
}
