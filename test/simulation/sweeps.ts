import { Host } from './host.ts'
import { SimSweeper, SWEEP_AGE_MS } from './sim-sweeper.ts'
import type { World } from './world.ts'

/** Held requests and clocks that differ: after this, nothing of what was is young any more. */
const SETTLED_MS = SWEEP_AGE_MS + 60_000
const AGAIN_MS = 5_000

/** The operator's sweeps in one run: some beside the encryptors, and one when all is sealed. */
export class Sweeps {
  readonly #world: World
  #count = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Sweeps now and then from here on; some are killed on their way. */
  begin(): void {
    const { random, scheduler, scenario } = this.#world
    const untilMs = scenario.mode === 'safety' ? scenario.endMs : scenario.faultsEndMs
    for (let left = random.int(1, 5); left > 0; left--) {
      scheduler.at(random.next() * untilMs, () => this.sweep())
    }
  }

  /** One sweep, which may be killed on its way. */
  sweep(): void {
    const { random, scheduler } = this.#world
    const host = this.#newHost()
    if (random.chance(0.3)) scheduler.at(random.next() * 200, () => host.crash())
    void new SimSweeper(this.#world, host).sweep()
  }

  /** Once nothing is young any more, sweeps until a sweep comes to its end. Then `onDone` is called. */
  finish(onDone: () => void): void {
    const { scheduler } = this.#world
    const sweepOnce = async () => {
      if (await new SimSweeper(this.#world, this.#newHost()).sweep()) onDone()
      else scheduler.at(AGAIN_MS, () => void sweepOnce())
    }
    scheduler.at(SETTLED_MS, () => void sweepOnce())
  }

  /** What no reference names and yet is there, in words; empty when the last sweep left nothing. */
  left(): string {
    const { bucket, registry, checker } = this.#world
    const isNamed = (key: string) => checker.namedObjects.has(key)
    const objects = [...bucket.objects.keys()].filter((key) => !isNamed(key))
    const rows = [...registry.segments.values()].filter(
      ({ intent, rows }) => rows.size > 0 && !isNamed(intent.objectKey),
    )
    const unmarked = [...registry.segments.values()].filter(
      ({ intent, publishedAtMs }) => publishedAtMs === null && isNamed(intent.objectKey),
    )
    const all = [
      ...objects.map((key) => `object ${key}`),
      ...[...bucket.uploads.values()].map(({ key }) => `an upload of ${key}`),
      ...rows.map(({ intent }) => `rows of ${intent.segmentId}`),
      ...unmarked.map(({ intent }) => `no published mark of ${intent.segmentId}`),
    ]
    return all.slice(0, 3).join(', ')
  }

  #newHost(): Host {
    const { random, scheduler, scenario } = this.#world
    return new Host(
      `sweeper.${++this.#count}`,
      scheduler,
      random.int(-scenario.skewMsMax, scenario.skewMsMax),
    )
  }
}
