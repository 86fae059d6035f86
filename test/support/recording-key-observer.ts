import type { KeyObserver } from '../../src/keys/key-observer.ts'

/** Remembers how the keeping of keys fared. */
export class RecordingKeyObserver implements KeyObserver {
  unwritten = 0
  lost = 0
  reads = 0
  readonly failed: unknown[] = []
  readonly rotated: [requestId: string, reason: string, retired: number][] = []

  keyEventsUnwritten(count: number): void {
    this.unwritten = count
  }

  keyEventsLost(count: number): void {
    this.lost += count
  }

  keyDeskRead(): void {
    this.reads++
  }

  keyRecordsFailed(_what: string, error: unknown): void {
    this.failed.push(error)
  }

  keysRotated(requestId: string, reason: string, retired: number): void {
    this.rotated.push([requestId, reason, retired])
  }
}
