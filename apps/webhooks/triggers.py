"""The trigger that writes events into the outbox, in the transaction of the change."""

from typing import Any

from apps.common.triggers import StatementTrigger

from .enums import Topic


class OutboxTrigger(StatementTrigger):
    """Write one delivery for each event of a statement and endpoint that asks for it.

    `facts` is SQL of events (apps.webhooks.facts). While no active endpoint asks for the topic, one look at the
    endpoints is all it costs. Nobody is notified: commits that notify wait for each other, and the relay looks anyway.
    """

    def __init__(self, *, topic: Topic, kind: str, facts: str, **options: Any):
        self.topic, self.kind, self.facts = topic.value, kind, facts
        super().__init__(**options)

    def get_func(self, model: Any) -> str:
        asks = f"is_active AND '{self.topic}' = ANY (topics)"
        return f"""
            IF EXISTS (SELECT FROM webhooks_webhookendpoint WHERE {asks}) THEN
                -- An event has one id, whoever is told of it.
                WITH facts AS MATERIALIZED (SELECT gen_random_uuid() AS event, f.* FROM ({self.facts}) f)
                INSERT INTO webhooks_webhookdelivery (endpoint_id, topic, event, subject_kind, subject_id, data)
                SELECT e.id, '{self.topic}', f.event, '{self.kind}', f.subject_id, f.data
                FROM facts f CROSS JOIN (SELECT id, org_unit_id FROM webhooks_webhookendpoint WHERE {asks}) e
                WHERE e.org_unit_id IS NULL OR e.org_unit_id = ANY (f.path)
                ORDER BY f.rank, e.id;
            END IF;
            RETURN NULL;
        """
