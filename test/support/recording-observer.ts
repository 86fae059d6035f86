import type { PipelineObserver } from '../../src/pipeline/observer.ts'

type Said = { [K in keyof PipelineObserver]: [K, ...Parameters<PipelineObserver[K]>] }

/** Remembers what the road told. */
export class RecordingObserver implements PipelineObserver {
  readonly said: Said[keyof PipelineObserver][] = []

  readonly packed = this.#keep('packed')
  readonly partSealed = this.#keep('partSealed')
  readonly segmentSealed = this.#keep('segmentSealed')
  readonly published = this.#keep('published')
  readonly dekCreated = this.#keep('dekCreated')
  readonly keyAwaited = this.#keep('keyAwaited')
  readonly dekRefused = this.#keep('dekRefused')
  readonly exposed = this.#keep('exposed')
  readonly kmsCall = this.#keep('kmsCall')
  readonly inFlight = this.#keep('inFlight')
  readonly memory = this.#keep('memory')
  readonly waiting = this.#keep('waiting')
  readonly recovered = this.#keep('recovered')
  readonly laneReset = this.#keep('laneReset')
  readonly partitionStopped = this.#keep('partitionStopped')
  readonly quarantined = this.#keep('quarantined')
  readonly assigned = this.#keep('assigned')

  /** The arguments of every call of one kind. */
  of<K extends keyof PipelineObserver>(kind: K): Parameters<PipelineObserver[K]>[] {
    return this.said
      .filter(([name]) => name === kind)
      .map(([, ...args]) => args as Parameters<PipelineObserver[K]>)
  }

  #keep<K extends keyof PipelineObserver>(kind: K) {
    return (...args: Parameters<PipelineObserver[K]>): void => {
      this.said.push([kind, ...args] as Said[K])
    }
  }
}
