using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Storage.People;

internal static class PeopleEndpoints
{
    public static void MapPeople(this IEndpointRouteBuilder api)
    {
        var people = api.MapGroup("/people").WithTags("People").RequireAuthorization(Policies.Administer);
        people.MapGet("", async (IMediator mediator, CancellationToken stop) => (await mediator.Send(new ListPeople(), stop)).ToResult())
            .Produces<Page<Person>>().WithSummary("Who may sign in");
        people.MapPost("", async (IMediator mediator, HttpRequest request, CancellationToken stop) =>
            {
                var body = await Json.ReadBodyAsync<AddPerson>(request);
                return body.Failure is { } failure ? failure.ToResult() : (await mediator.Send(body.Value, stop)).ToResult(StatusCodes.Status201Created);
            })
            .WithMetadata(new JsonBody(typeof(AddPerson), "application/json")).Produces<Person>(201).ProducesProblem(400).ProducesProblem(409)
            .WithSummary("Lets a person sign in");
        people.MapDelete("/{name}", async (IMediator mediator, string name, CancellationToken stop) =>
                await mediator.Send(new RemovePerson(name), stop) is { Failure: { } failure } ? failure.ToResult() : Results.NoContent())
            .Produces(204).ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Takes a person out");

        var keys = api.MapGroup("/api-keys").WithTags("API keys").RequireAuthorization(Policies.Administer);
        keys.MapGet("", async (IMediator mediator, CancellationToken stop) => (await mediator.Send(new ListApiKeys(), stop)).ToResult())
            .Produces<Page<ApiKey>>().WithSummary("The API keys, without the keys");
        keys.MapPost("", async (IMediator mediator, HttpRequest request, CancellationToken stop) =>
            {
                var body = await Json.ReadBodyAsync<AddApiKey>(request);
                return body.Failure is { } failure ? failure.ToResult() : (await mediator.Send(body.Value, stop)).ToResult(StatusCodes.Status201Created);
            })
            .WithMetadata(new JsonBody(typeof(AddApiKey), "application/json")).Produces<ApiKeyWithSecret>(201).ProducesProblem(400).ProducesProblem(409)
            .WithSummary("Makes an API key; the answer holds it, this once");
        keys.MapDelete("/{name}", async (IMediator mediator, string name, CancellationToken stop) =>
                await mediator.Send(new RemoveApiKey(name), stop) is { Failure: { } failure } ? failure.ToResult() : Results.NoContent())
            .Produces(204).ProducesProblem(404)
            .WithSummary("Ends an API key");
    }
}
