"""The colours and shapes of the kinds of items."""

from apps.common.badges import Tone

from ..enums import AlertKind

LOOKS: dict[str, tuple[str, str]] = {
    AlertKind.UNDER_COVERED: (Tone.RED, "trending_down"),
    AlertKind.VACANT: (Tone.RED, "person_off"),
    AlertKind.CLIFF: (Tone.YELLOW, "event_busy"),
    AlertKind.EXPIRY: (Tone.YELLOW, "workspace_premium"),
    AlertKind.PROPOSAL: (Tone.BLUE, "pending_actions"),
    AlertKind.RULE: (Tone.PETROL, "gavel"),
    AlertKind.FIGURES: (Tone.GREY, "sync_problem"),
    AlertKind.FAILURE: (Tone.GREY, "report"),
}
