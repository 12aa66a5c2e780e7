import type { CredentialCounters } from "../_shared/credentials/counters.ts";
import type { Probe, Snapshot } from "./probes.ts";

interface Metric {
  name: string;
  type: "gauge" | "counter";
  help: string;
  samples: { labels?: Record<string, string>; value: number }[];
}

/** Content type of the text format that Prometheus scrapes. */
export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * What is known now in Prometheus' text format; what is not known is left out.
 * https://prometheus.io/docs/instrumenting/exposition_formats/ (2026-11)
 */
export function metricsText(
  database: Probe<Snapshot>,
  redis: Probe<"PONG"> | null,
  counters: CredentialCounters | null,
): string {
  const metrics = [
    ...dependencyMetrics(database, redis),
    ...(database.ok ? [...snapshotMetrics(database.value), idempotencyMetric(database.value)] : []),
    ...(counters ? credentialMetrics(counters) : []),
  ];
  return metrics.map(textOf).join("");
}

function dependencyMetrics(database: Probe<Snapshot>, redis: Probe<"PONG"> | null): Metric[] {
  const probes = Object.entries({ database, redis }).flatMap(([dependency, probe]) =>
    probe === null ? [] : [{ labels: { dependency }, probe }]
  );
  return [{
    name: "switchyard_dependency_up",
    type: "gauge",
    help: "1 when the dependency answered within its deadline",
    samples: probes.map(({ labels, probe }) => ({ labels, value: probe.ok ? 1 : 0 })),
  }, {
    name: "switchyard_dependency_probe_seconds",
    type: "gauge",
    help: "How long the probe of the dependency took",
    samples: probes.map(({ labels, probe }) => ({ labels, value: probe.duration_ms / 1000 })),
  }];
}

function snapshotMetrics(snapshot: Snapshot): Metric[] {
  const { outbound, inbound, callbacks, cron, senders } = snapshot;
  const gauge = (name: string, help: string, samples: Metric["samples"]): Metric => ({
    name: `switchyard_${name}`,
    type: "gauge",
    help,
    samples,
  });
  return [
    gauge("queue_depth", "What is due and not yet claimed, counted up to 10000", [
      { labels: { queue: "outbound" }, value: outbound.depth },
      { labels: { queue: "inbound" }, value: inbound.depth },
      { labels: { queue: "callbacks" }, value: callbacks.depth },
    ]),
    gauge("queue_oldest_age_seconds", "How long the oldest of it has been due", [
      { labels: { queue: "outbound" }, value: outbound.oldest_age_seconds },
      { labels: { queue: "inbound" }, value: inbound.oldest_age_seconds },
      { labels: { queue: "callbacks" }, value: callbacks.oldest_age_seconds },
    ]),
    gauge("messages_in_flight", "Messages in the queue or with a worker", [
      { value: snapshot.outbound_in_flight },
    ]),
    gauge("messages_outcome_unknown", "Messages of which nobody knows whether they were accepted", [
      { value: snapshot.outcome_unknown },
    ]),
    gauge("dead_letters", "Dead letters, counted up to 10000", [{ value: snapshot.dead_letters }]),
    gauge("events_quarantined", "Events that were not understood or have no owner", [
      { value: snapshot.quarantined },
    ]),
    gauge("events_quarantined_lately", "Those of the last day without Meta's dashboard tests", [
      { value: snapshot.quarantined_lately },
    ]),
    gauge("media_failed", "Files of customers that could not be kept, counted up to 10000", [
      { value: snapshot.media_failed },
    ]),
    gauge("wallet_findings", "What is wrong with the books, counted up to 10000", [
      { value: snapshot.wallet_findings },
    ]),
    gauge("senders", "Senders by status", [
      { labels: { status: "active" }, value: senders.active },
      { labels: { status: "paused" }, value: senders.paused },
    ]),
    gauge("callback_endpoints", "Tenants' endpoints that need a person, or soon may", [
      { labels: { status: "failing" }, value: callbacks.failing_endpoints },
      { labels: { status: "paused" }, value: callbacks.paused_endpoints },
      { labels: { status: "disabled" }, value: callbacks.disabled_endpoints },
    ]),
    gauge(
      "cron_tick_age_seconds",
      "Time since cron last ticked",
      cron.age_seconds === null ? [] : [{ value: cron.age_seconds }],
    ),
  ];
}

function idempotencyMetric({ idempotency }: Snapshot): Metric {
  return {
    name: "switchyard_wallet_idempotency_keys_total",
    type: "counter",
    help: "Idempotency keys of the wallet: known (hit), new (miss), used wrongly (error)",
    samples: Object.entries(idempotency).map(([outcome, value]) => ({
      labels: { outcome },
      value,
    })),
  };
}

function credentialMetrics(counters: CredentialCounters): Metric[] {
  return Object.entries(counters).map(([name, value]) => ({
    name: `switchyard_credentials_${name}_total`,
    type: "counter",
    help: `Credential lookups of all isolates: ${name.replaceAll("_", " ")}`,
    samples: [{ value }],
  }));
}

function textOf({ name, type, help, samples }: Metric): string {
  if (samples.length === 0) return "";
  const lines = samples.map(({ labels = {}, value }) => `${name}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
