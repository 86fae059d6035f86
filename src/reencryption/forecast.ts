import { costUsdOf, type Prices, type ServiceUse } from '../service-costs.ts'
import type { ReencryptionPlan } from './plan.ts'

/** How fast a job may go, and what it is made of. */
export interface ReencryptionPace {
  readonly bytesPerSecond: number
  readonly kmsCallsPerSecond: number
  readonly threads: number
  readonly partBytes: number
  /** The limits of a window, one of which each new DEK is made for. */
  readonly window: {
    readonly ageMs: number
    readonly messagesMax: number
    readonly bytesMax: number
  }
  readonly prices: Prices
}

/** What a job would cost. */
export interface Forecast extends ServiceUse {
  readonly newDeks: number
  readonly costUsd: number
  /** From measurements on two cores with every service on them; budgets that bind make it longer. */
  readonly seconds: number
}

/** What a thread seals anew in a second, of messages of 1 KiB (docs/reencryption.md). */
const BYTES_PER_THREAD_SECOND = 70_000_000
/** What a segment takes beside its bytes: looks, marks and the list of its versions. */
const SECONDS_PER_SEGMENT = 0.05
/** Footers of longer segments do not come with their headers, so that a look takes two requests. */
const ONE_REQUEST_BYTES = 256 * 1024
/** Reckons what a plan takes of time, requests and money. */
export function forecastOf(plan: ReencryptionPlan, pace: ReencryptionPace): Forecast {
  const { s3Reads, s3Writes } = requestsOf(plan, pace.partBytes)
  const ofBytes = plan.bytes / Math.min(pace.bytesPerSecond, BYTES_PER_THREAD_SECOND * pace.threads)
  const atWork = ofBytes + (plan.segments * SECONDS_PER_SEGMENT) / pace.threads
  const newDeks = newDeksOf(plan, pace.window, atWork)
  const kmsCalls = plan.deks + newDeks
  const use = { kmsCalls, s3Reads, s3Writes }
  const seconds = Math.max(atWork, kmsCalls / pace.kmsCallsPerSecond)
  return { ...use, newDeks, costUsd: costUsdOf(use, pace.prices), seconds }
}

/** Each segment with the mean of all: of whole parts one is written for each `partBytes`. */
function requestsOf(
  { segments, expired, bytes }: ReencryptionPlan,
  partBytes: number,
): Pick<ServiceUse, 's3Reads' | 's3Writes'> {
  const mean = segments === 0 ? 0 : bytes / segments
  const parts = Math.max(1, Math.ceil(mean / partBytes))
  const looks = mean > ONE_REQUEST_BYTES ? 2 : 1
  // An upload is opened and completed; then the versions of the object are listed.
  const writes = (parts === 1 ? 1 : parts + 2) + 1
  return {
    s3Reads: segments * (looks + parts) + expired * looks,
    s3Writes: segments * writes + expired,
  }
}

/** One for each key domain at least, and more as windows are full or over. */
function newDeksOf(
  { domains }: ReencryptionPlan,
  { ageMs, messagesMax, bytesMax }: ReencryptionPace['window'],
  seconds: number,
): number {
  return domains.reduce((sum, { messages, bytes }) => {
    const full = Math.max(messages / messagesMax, bytes / bytesMax, (seconds * 1_000) / ageMs)
    return sum + Math.max(1, Math.ceil(full))
  }, 0)
}
