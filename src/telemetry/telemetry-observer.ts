import type { Clock } from '../clock.ts'
import { isSealError, messageOf, type SealError } from '../errors.ts'
import type { Exposure } from '../keys/dek-windows.ts'
import type { NewOrders } from '../keys/kek-follower.ts'
import type { KekOrder } from '../keys/kek-orders.ts'
import type { KeyObserver } from '../keys/key-observer.ts'
import type { KmsOperation } from '../keys/observed-kms.ts'
import type { RotationRound } from '../mapping/rotation-log.ts'
import type {
  MemoryState,
  PartTimings,
  PipelineObserver,
  ServiceName,
} from '../pipeline/observer.ts'
import type { CrewObserver } from '../reencryption/crew.ts'
import type { ScheduleObserver } from '../reencryption/rotation-schedule.ts'
import type { ReencryptionItem, ReencryptionOutcome } from '../reencryption/segment-reencryption.ts'
import type { IncidentObserver, IncidentStanding } from '../response/incident-standing.ts'
import type { Health } from './health.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'

/** A service that stays away is tried often; its log line need not come as often. */
const WAIT_LOG_INTERVAL_MS = 5000

/** Where the events of the road go. */
export interface TelemetrySinks {
  readonly metrics: Metrics
  readonly logger: Logger
  readonly health: Health
  readonly clock: Clock
}

/** Counts every event of the road, logs the rare ones, and keeps the health up to date. */
export class TelemetryObserver
  implements PipelineObserver, KeyObserver, CrewObserver, ScheduleObserver, IncidentObserver
{
  readonly #metrics: Metrics
  readonly #logger: Logger
  readonly #health: Health
  readonly #clock: Clock
  readonly #waitLoggedAtMs = new Map<string, number>()
  #isMemoryHeld = false

  constructor({ metrics, logger, health, clock }: TelemetrySinks) {
    this.#metrics = metrics
    this.#logger = logger
    this.#health = health
    this.#clock = clock
  }

  packed(topic: string, messages: number, bytes: number): void {
    this.#metrics.packedMessages.inc({ topic }, messages)
    this.#metrics.packedBytes.inc({ topic }, bytes)
  }

  partSealed(topic: string, frames: number, bytes: number, timings: PartTimings): void {
    const { sealedFrames, sealedBytes, partSeconds } = this.#metrics
    sealedFrames.inc({ topic }, frames)
    sealedBytes.inc({ topic }, bytes)
    partSeconds.observe({ step: 'seal' }, timings.sealMs / 1000)
    partSeconds.observe({ step: 'upload' }, timings.uploadMs / 1000)
    partSeconds.observe({ step: 'map' }, timings.mapMs / 1000)
  }

  segmentSealed(topic: string, bytes: number, openMs: number): void {
    this.#metrics.segments.inc({ topic })
    this.#metrics.segmentBytes.observe(bytes)
    this.#metrics.segmentOpenSeconds.observe(openMs / 1000)
  }

  published(references: number, segments: number, transactionMs: number, visibleMs: number): void {
    this.#metrics.references.inc(references)
    this.#metrics.publishedSegments.inc(segments)
    this.#metrics.transactionSeconds.observe(transactionMs / 1000)
    this.#metrics.visibleSeconds.observe(visibleMs / 1000)
  }

  dekCreated(keyDomain: string, dekId: string, kekId: string): void {
    this.#metrics.deksCreated.inc()
    this.#logger.info({ keyDomain, dekId, kekId }, 'data key created')
  }

  keyAwaited(waitedMs: number): void {
    this.#metrics.keyWaitSeconds.observe(waitedMs / 1000)
  }

  dekRefused(keyDomain: string, error: SealError): void {
    this.#metrics.dekRefusals.inc()
    const { code, message: reason } = error
    this.#logger.error(
      { keyDomain, code, reason },
      'no next data key; sealing ends when the present one reaches its hard limits',
    )
  }

  exposed({ messages, bytes, ageMs, share, deks }: Exposure): void {
    this.#metrics.liveDeks.set(deks)
    this.#metrics.exposedMessages.set(messages)
    this.#metrics.exposedBytes.set(bytes)
    this.#metrics.exposedSeconds.set(ageMs / 1000)
    this.#metrics.exposedShare.set(share)
  }

  kmsCall(operation: KmsOperation, ok: boolean, elapsedMs: number): void {
    this.#metrics.kmsCalls.inc({ operation, outcome: ok ? 'ok' : 'failed' })
    this.#metrics.kmsSeconds.observe({ operation }, elapsedMs / 1000)
  }

  inFlight(bytes: number): void {
    this.#metrics.inFlightBytes.set(bytes)
  }

  memory({ rssBytes, bytesMax, isHeld }: MemoryState): void {
    const { memoryBytesMax, memoryShare, memoryHeld } = this.#metrics
    memoryBytesMax.set(bytesMax)
    memoryShare.set(rssBytes / bytesMax)
    memoryHeld.set(isHeld ? 1 : 0)
    if (isHeld === this.#isMemoryHeld) return
    this.#isMemoryHeld = isHeld
    const state = { rssBytes, rssBytesMax: bytesMax }
    if (isHeld) this.#logger.warn(state, 'memory is near its ceiling, reading pauses')
    else this.#logger.info(state, 'memory has come down, reading goes on')
  }

  waiting(service: ServiceName, error: SealError, attempt: number, waitedMs: number): void {
    this.#metrics.failedTries.inc({ service })
    this.#metrics.waiting.set({ service }, 1)
    this.#health.waitFor(service, error)
    if (!this.#isLogDue(service)) return
    const { code, message: reason } = error
    this.#logger.warn(
      { dependency: service, code, reason, attempt, waitedMs },
      `waiting for ${service}`,
    )
  }

  recovered(service: ServiceName, waitedMs: number): void {
    this.#metrics.waiting.set({ service }, 0)
    this.#health.recover(service)
    this.#waitLoggedAtMs.delete(service)
    this.#logger.info({ dependency: service, waitedMs }, `${service} answers again`)
  }

  keyEventsUnwritten(count: number): void {
    this.#metrics.unwrittenKeyEvents.set(count)
  }

  keyEventsLost(count: number): void {
    this.#metrics.lostKeyEvents.inc(count)
    this.#logger.error({ count }, 'key events are lost: Cassandra did not take them in time')
  }

  keyDeskRead(): void {
    this.#metrics.keyDeskReadAt.set(this.#clock.nowMs() / 1000)
  }

  keyRecordsFailed(what: 'key events' | 'key desk', error: unknown): void {
    this.#metrics.keyRecordFailures.inc({ what })
    if (!this.#isLogDue(what)) return
    const code = isSealError(error) ? error.code : null
    this.#logger.warn({ code, reason: messageOf(error) }, `${what} out of reach, tried again`)
  }

  keysRotated(requestId: string, reason: string, retired: number): void {
    this.#logger.info({ requestId, reason, retired }, 'data keys retired as an operator asked')
  }

  kekOrderTaken({ sequence, keyDomain, fromKekId, toKekId, actor, reason }: KekOrder): void {
    this.#metrics.kekOrder.set(sequence)
    const order = { sequence, keyDomain, fromKekId, toKekId, actor, reason }
    this.#logger.info(order, 'KEK order in force')
  }

  kekOrdersRefused(refused: NewOrders['refused']): void {
    this.#metrics.refusedKekOrders.set(refused.length)
    const [first] = refused
    if (first === undefined || !this.#isLogDue('KEK order')) return
    const { code, message: reason } = first.error
    this.#logger.error(
      { sequence: first.order.sequence, toKekId: first.order.toKekId, code, reason },
      'a KEK order cannot be taken over, sealing goes on under the KEK of before; it is tried again',
    )
  }

  laneReset(lane: number, reason: string): void {
    this.#metrics.laneResets.inc()
    this.#logger.warn({ lane, reason }, 'lane begins again at its committed offsets')
  }

  partitionStopped(topic: string, partition: number, offset: number, error: SealError): void {
    this.#metrics.partitionStops.inc({ topic })
    this.#health.stopPartition(topic, partition, offset, error)
    this.#metrics.stoppedPartitions.set(this.#health.stoppedPartitions)
    const { code, message: reason } = error
    this.#logger.error(
      { topic, partition, offset, code, reason },
      'partition stopped, it stays where it is until somebody acts',
    )
  }

  reencrypted({ kind, bytes }: ReencryptionOutcome): void {
    this.#metrics.reencryptedSegments.inc({ outcome: kind })
    this.#metrics.reencryptedBytes.inc(kind === 'moved' ? bytes : 0)
  }

  reencryptionFailed({ objectKey }: ReencryptionItem, { code, message }: SealError): void {
    this.#metrics.reencryptedSegments.inc({ outcome: 'failed' })
    this.#logger.warn({ object: objectKey, code, reason: message }, 'segment not re-encrypted')
  }

  reencryptionSteppedBack(error: SealError | null, forMs: number): void {
    this.#metrics.reencryptionSteppedBack.set(error === null ? 0 : 1)
    if (error === null) return
    const { code, message: reason } = error
    this.#logger.error({ code, reason, forMs }, 'stepped back from re-encryptions, others go on')
  }

  reencryptionQueueFailed(error: unknown): void {
    const code = isSealError(error) ? error.code : undefined
    const reason = messageOf(error)
    this.#logger.warn({ code, reason }, 'cannot take part in re-encryptions; will try again')
  }

  rotationRound({ due, oldestAtMs, olderThanMs, countedAtMs }: RotationRound): void {
    const { dueSegments, dueBytes, overdueSeconds, rotationCountedAt } = this.#metrics
    dueSegments.set(due.segments)
    dueBytes.set(due.bytes)
    const overdueMs = oldestAtMs === null ? 0 : this.#clock.nowMs() - oldestAtMs - olderThanMs
    overdueSeconds.set(Math.max(0, overdueMs / 1000))
    rotationCountedAt.set(countedAtMs / 1000)
  }

  rotationFailed(error: unknown): void {
    if (!this.#isLogDue('rotation')) return
    const code = isSealError(error) ? error.code : undefined
    const reason = messageOf(error)
    this.#logger.warn({ code, reason }, 'cannot look for data under old keys; will try again')
  }

  incidentsStand(standing: IncidentStanding): void {
    const { openIncidents, lastPassedDrill, lastFailedDrillAtMs, isDrillOverdue } = standing
    this.#metrics.openIncidents.set(openIncidents)
    this.#metrics.drillPassedAt.set((lastPassedDrill?.atMs ?? 0) / 1000)
    this.#metrics.drillFailedAt.set((lastFailedDrillAtMs ?? 0) / 1000)
    this.#metrics.drillOverdue.set(isDrillOverdue ? 1 : 0)
    const { containMs, knowMs, cleanMs } = lastPassedDrill?.times ?? {}
    for (const [until, ms] of Object.entries({
      contain: containMs,
      know: knowMs,
      clean: cleanMs,
    })) {
      if (typeof ms === 'number') this.#metrics.drillSeconds.set({ until }, ms / 1000)
    }
  }

  incidentsUnread(error: unknown): void {
    if (!this.#isLogDue('incident log')) return
    const code = isSealError(error) ? error.code : undefined
    this.#logger.warn(
      { code, reason: messageOf(error) },
      'incidents cannot be read; will try again',
    )
  }

  quarantined(topic: string, partition: number, offset: number, error: SealError): void {
    this.#metrics.quarantined.inc({ topic })
    const { code, message: reason } = error
    this.#logger.warn({ topic, partition, offset, code, reason }, 'message quarantined, not sealed')
  }

  assigned(partitions: number, lanes: number): void {
    this.#health.assign()
    this.#metrics.assignedPartitions.set(partitions)
    this.#metrics.assignedLanes.set(lanes)
    this.#logger.info({ partitions, lanes }, 'partitions assigned')
  }

  /** Whether the last line about it is long enough ago. */
  #isLogDue(what: string): boolean {
    const nowMs = this.#clock.elapsedMs()
    const loggedAtMs = this.#waitLoggedAtMs.get(what)
    if (loggedAtMs !== undefined && nowMs - loggedAtMs < WAIT_LOG_INTERVAL_MS) return false
    this.#waitLoggedAtMs.set(what, nowMs)
    return true
  }
}
