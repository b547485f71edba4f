"""From a call to its plan: the route's targets in order, with what was known of them when it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.engine.outlook import Outlook
from costspan.errors import Untranslatable
from costspan.routing.order import plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.engine.call import Call
    from costspan.engine.keys import KeyRing
    from costspan.engine.slots import Slots
    from costspan.engine.stored import StoredBy
    from costspan.engine.targets import Targets


class Planner:
    """Makes plans. One for the process."""

    def __init__(  # noqa: PLR0917 - the parts of the process
        self,
        targets: Targets,
        keys: KeyRing,
        slots: Slots,
        stored: StoredBy,
        pick: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._targets = targets
        self._keys = keys
        self._slots = slots
        self._stored = stored
        self._pick = pick
        self._now = now

    def plan(self, call: Call, look: type[Outlook] = Outlook) -> None:
        """Give `call` its plan, and the facts that it rests on. Raises `ClientError` where none can be made."""
        owners = None if call.peek.stored is None else self._owners(call)
        call.outlook = outlook = look(call, self._targets, self._keys, self._slots, self._now(), owners=owners)
        call.plan = plan(call.matched.tree, outlook, self._pick)

    def _owners(self, call: Call) -> frozenset[str]:
        """The targets that can have what the request refers to. Raises `ClientError` where that cannot be told."""
        field, id_ = call.peek.stored or "", call.peek.stored_id
        accounts = call.snapshot.accounts
        owner = self._stored.owner(id_) if id_ is not None else None
        steps = call.matched.steps
        able = [step for step in steps if call.dialect.NAME in accounts[step.provider].dialects_for(step.model)]
        if owner is not None:
            able = [step for step in able if step.provider == owner]
            why = f"{field} was made by {owner}, which is no target of this route"
        elif not able:
            why = (
                f"{field} refers to what a provider has stored, and no target of this route stores anything: send the "
                "conversation itself, as clients do when told not to store (store: false)"
            )
        else:
            why = (
                f"{field} stays with the provider that made it, which this process does not know (it was made before "
                "a restart, or elsewhere): ask for provider/model, or send the conversation itself"
            )
        if not able or len({step.provider for step in able}) > 1:
            raise Untranslatable(why, param=field)
        return frozenset(step.label for step in able)
