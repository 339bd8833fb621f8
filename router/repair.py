"""How a tier is told what was wrong with its last answer."""

from router.types import Attempt, Message, Part


def complaint(messages: tuple[Message, ...], attempt: Attempt) -> tuple[Message, ...]:
    """The conversation with the failed answer and its violations appended, so that the engine's prefix cache still serves."""
    said = attempt.generation.choices[attempt.at_fault].text if attempt.generation else ""
    listed = "\n".join(f"- {violation.path or '/'}: {violation.message}" for violation in attempt.violations)
    return (
        *messages,
        Message("assistant", (Part("text", said),)),
        Message("user", (Part("text", f"That answer breaks the required form:\n{listed}\nAnswer again, in the required form only."),)),
    )
