import type { InFlightBudget } from './in-flight-budget.ts'
import type { PipelineObserver } from './observer.ts'

/** The memory of this process as the system counts it. */
export interface ProcessMemory {
  /** Resident bytes, whatever they hold. */
  rssBytes(): number
  /** Hands to the system what nobody uses any more. Slow: some ten milliseconds. */
  giveBack(): void
}

/** Reading pauses from this share of the ceiling on: what is under way yet must fit into the rest. */
const HOLD_FROM = 0.9
/** And goes on below this one, so that it does not pause and go on all the time. */
const RELEASE_BELOW = 0.85
/** While reading pauses, unused memory is given back at every so many looks. */
const GIVE_BACK_EVERY = 4

/**
 * Keeps the process under its ceiling where the in-flight budget alone does not: that one counts
 * messages, the system counts pages.
 *
 *   open -> held -> open
 *
 * Held means that no more is admitted to the budget than what keeps the road going at all, until
 * memory has come down: by what gets published meanwhile, and by giving back what is unused.
 */
export class MemoryGuard {
  readonly #memory: ProcessMemory
  readonly #bytesMax: number
  readonly #budget: InFlightBudget
  readonly #observer: PipelineObserver
  #looksHeld = 0
  #isHeld = false

  constructor(
    memory: ProcessMemory,
    bytesMax: number,
    budget: InFlightBudget,
    observer: PipelineObserver,
  ) {
    this.#memory = memory
    this.#bytesMax = bytesMax
    this.#budget = budget
    this.#observer = observer
  }

  /** Looks at the memory and acts. Cheap; call it several times a second. */
  look(): void {
    const rssBytes = this.#memory.rssBytes()
    const share = rssBytes / this.#bytesMax
    const isHeld = share >= (this.#isHeld ? RELEASE_BELOW : HOLD_FROM)
    if (isHeld !== this.#isHeld) this.#looksHeld = 0
    this.#isHeld = isHeld
    this.#budget.hold(isHeld)
    this.#observer.memory({ rssBytes, bytesMax: this.#bytesMax, isHeld })
    if (isHeld && this.#looksHeld++ % GIVE_BACK_EVERY === 0) this.#memory.giveBack()
  }
}
