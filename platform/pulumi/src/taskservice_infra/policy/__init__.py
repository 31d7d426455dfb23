"""What no stack may contain: the rules, as pure functions over a resource's type and properties.

Here live the rules, one file per concern, their catalogue, and two thin shells around it: ``pack`` (Pulumi's policy
engine, ``pulumi preview --policy-pack``) and ``gate`` (a transform that asks the same rules of every resource before
it is registered, where no policy engine is at hand).  Not here: settings of stacks (``config``), or anything that
makes a resource.
"""
