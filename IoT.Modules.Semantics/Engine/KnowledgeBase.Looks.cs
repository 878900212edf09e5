using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

internal sealed partial class KnowledgeBase
{
    /// <summary>Whether a rule in force has a condition that facts of this predicate may satisfy.</summary>
    public bool LooksAt(TermId predicate)
    {
        lock (_lock)
            return _reasoner.Rules.LooksAt(predicate.Value);
    }
}
