"""The critics that need no model: what the execution of a turn has to say."""

from dataclasses import dataclass

from codeloop.core.dialogue import Dialogue, Feedback, Skipped, Source, Turn


@dataclass(frozen=True, slots=True)
class ExecutionCritic:
    """Asks for another turn when code failed, or was cut off before it could run.

    With `on_success` it also shows the model the output of code that ran well, and the dialogue
    ends when the model answers in plain words.
    """

    on_success: bool = False

    def review(self, dialogue: Dialogue, turn: Turn) -> Feedback | None:
        cut_off = any(cell.skipped is Skipped.CUT_OFF for cell in turn.cells)
        if turn.failed or cut_off or (self.on_success and turn.ran):
            return Feedback(Source.EXECUTION)
        return None
