"""What moto 5.2.5 does unlike AWS, put right without a copy of it.

Each module replaces a few functions of moto's engine and says why. They are applied once, before the first definition
is read. Where a module names no other source, AWS's behaviour is that of the Step Functions developer guide and the
Amazon States Language specification.
"""

from . import endings, integrations, jsonata, states, variables, waits


def apply(settings, publish):
    """Repair the engine; `publish` is called with the detail of each change of an execution's status."""
    jsonata.apply()
    integrations.apply(settings)
    states.apply()
    variables.apply()
    waits.apply(settings)
    endings.apply(publish)
