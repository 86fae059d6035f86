import type { SealError } from '../errors.ts'
import type { Exposure } from '../keys/dek-windows.ts'
import type { KmsOperation } from '../keys/observed-kms.ts'

/** The outside systems that the road depends on. */
export type ServiceName = 'kafka' | 's3' | 'cassandra' | 'kms'

/** What a worker measured of one part, in milliseconds of wall time. */
export interface PartTimings {
  readonly sealMs: number
  readonly uploadMs: number
  readonly mapMs: number
}

/** The memory of the process as the system counts it, and its ceiling, in bytes. */
export interface MemoryState {
  readonly rssBytes: number
  readonly bytesMax: number
  /** Whether reading pauses because the ceiling is near. */
  readonly isHeld: boolean
}

/**
 * What the road tells the world as it works. Calls are cheap, synchronous and never throw; the
 * pipeline knows no logger and no metrics library. Never carries key bytes or plaintext.
 */
export interface PipelineObserver {
  /** Messages of one fetch were packed into parts. `bytes` are plaintext bytes. */
  packed(topic: string, messages: number, bytes: number): void
  partSealed(topic: string, frames: number, bytes: number, timings: PartTimings): void
  segmentSealed(topic: string, bytes: number, openMs: number): void
  /** One transaction was committed; `visibleMs` is from the oldest packed message to the commit. */
  published(references: number, segments: number, transactionMs: number, visibleMs: number): void
  dekCreated(keyDomain: string, dekId: string, kekId: string): void
  /** A segment asked for its key and had it after this time; 0 where it was at hand. */
  keyAwaited(waitedMs: number): void
  /** The next DEK cannot be made, and no waiting mends it; the window at hand goes on for a while. */
  dekRefused(keyDomain: string, error: SealError): void
  /** What the leak of one DEK of this process would reveal now. Told several times a second. */
  exposed(exposure: Exposure): void
  kmsCall(operation: KmsOperation, ok: boolean, elapsedMs: number): void
  inFlight(bytes: number): void
  /** How much memory the process takes. Told several times a second. */
  memory(state: MemoryState): void
  /** A service failed in a way that passes; the road waits. Called again at each new try. */
  waiting(service: ServiceName, error: SealError, attempt: number, waitedMs: number): void
  /** The waiting is over: the service answers again, or the work that needed it was given up. */
  recovered(service: ServiceName, waitedMs: number): void
  /** A lane gave up its unpublished work and starts again from the committed offsets. */
  laneReset(lane: number, reason: string): void
  /** The alarm: this partition stays where it is until somebody acts. */
  partitionStopped(topic: string, partition: number, offset: number, error: SealError): void
  quarantined(topic: string, partition: number, offset: number, error: SealError): void
  /** Partitions that this process now holds. */
  assigned(partitions: number, lanes: number): void
}
