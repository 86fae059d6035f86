import { formatDurationMs } from './quantity.ts'
import type { Config } from './schema.ts'

/** Clocks differ, and one limit may begin where another ends. */
const SAFETY_FACTOR = 3
const DEFAULT_AGE_MS = 24 * 60 * 60 * 1000

/**
 * The least age of what a sweep may touch. A segment is published within segment.publishWithinMs or
 * never; the commit that was begun just then ends within the transaction timeout. The other limits
 * are those within which a writer that is cut off learns of it.
 */
export function sweepFloorMs({ kafka, s3, cassandra, segment }: Config): number {
  const limits = [
    ...[segment.publishWithinMs, kafka.transactionTimeoutMs, kafka.sessionTimeoutMs],
    ...[kafka.requestTimeoutMs, s3.requestTimeoutMs, cassandra.requestTimeoutMs],
  ]
  return SAFETY_FACTOR * Math.max(...limits)
}

/** The age where nobody asks for another one. */
export function sweepAgeMs(config: Config): number {
  return Math.max(DEFAULT_AGE_MS, SAFETY_FACTOR * sweepFloorMs(config))
}

/** null when `ageMs` is safe; otherwise what to say. */
export function refuseSweepAge(ageMs: number, config: Config): string | null {
  const floorMs = sweepFloorMs(config)
  if (ageMs >= floorMs) return null
  return `${formatDurationMs(ageMs)} is too young to sweep: at least ${formatDurationMs(floorMs)}, three times the longest of segment.publishWithinMs and the time limits of kafka, s3 and cassandra`
}
