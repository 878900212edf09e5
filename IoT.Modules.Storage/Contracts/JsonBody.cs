namespace IoT.Modules.Storage.Contracts;

/// <summary>
/// What an endpoint's body is, for the API's description only. (ASP.NET's own <c>Accepts</c> would also turn away a body whose
/// Content-Type is another, as curl's <c>-d</c> sends it.)
/// </summary>
public sealed record JsonBody(Type Type, params string[] ContentTypes);
