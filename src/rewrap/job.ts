import { type ErrorCode, isSealError } from '../errors.ts'
import { forEachOf } from '../for-each-of.ts'
import type { MappingReader } from '../mapping/mapping-store.ts'
import { Patience, type PatienceObserver } from '../pipeline/patience.ts'
import { deksEver } from './plan.ts'
import { type DekRewrapServices, rewrapDek } from './rewrap-dek.ts'
import type { RewrapScope } from './scope.ts'

/** What a rewrap works with. Everything stays the caller's to close. */
export interface RewrapServices extends DekRewrapServices {
  readonly mapping: Pick<MappingReader, 'deksOfKek'>
}

/** A DEK that is still as it was, and why. */
export interface RewrapFailure {
  readonly dekId: string
  readonly code: ErrorCode
  readonly message: string
}

/** What became of a rewrap. */
export interface RewrapReport {
  readonly rewrapped: number
  readonly failures: readonly RewrapFailure[]
  /** It was asked to stop before its end. */
  readonly isStopped: boolean
  /** It ended by itself, because nothing went through any more. */
  readonly isGivenUp: boolean
}

/** Who follows a rewrap, and who ends it. */
export interface RewrapControl {
  /** Ends it between two DEKs. */
  readonly signal: AbortSignal
  readonly onRewrapped: (dekId: string) => void
  /** Hears of services that are waited for. */
  readonly observer: PatienceObserver
}

/** More only wait for the budget of the KMS. */
const DEKS_AT_ONCE = 8
/** Some six seconds: a service that stays away longer is met by other DEKs too. */
const TRIES_PER_DEK = 7
/** So many failures without a success between them have one cause. */
const FAILURES_IN_A_ROW_MAX = 20
/** DEKs that came into scope again while it ran: made under the old KEK until it was rotated. */
const PASSES_MAX = 5

/**
 * Wraps every DEK anew whose wrap of now is in scope. The DEKs themselves are the state: a run that
 * was ended anywhere is taken up by the next one, and several at once do the work of one. A DEK that
 * cannot be rewrapped is named, and the others go on. It goes over all DEKs until there was none
 * left to do, so a report without failures says that no wrap in scope is left. Errors: SEAL_MAPPING_*
 * while the list of DEKs cannot be read, and what is no SealError.
 */
export async function rewrapAll(
  services: RewrapServices,
  scope: RewrapScope,
  control: RewrapControl,
): Promise<RewrapReport> {
  const run = new RewrapRun(services, scope, control)
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    if ((await run.pass()) === 0 || run.isOver) break
  }
  return run.report()
}

class RewrapRun {
  readonly #services: RewrapServices
  readonly #scope: RewrapScope
  readonly #control: RewrapControl
  readonly #patience: Patience
  readonly #failures = new Map<string, RewrapFailure>()
  #rewrapped = 0
  #failedInARow = 0

  constructor(services: RewrapServices, scope: RewrapScope, control: RewrapControl) {
    this.#services = services
    this.#scope = scope
    this.#control = control
    const { observer, signal } = control
    this.#patience = new Patience(services.clock, observer, signal, TRIES_PER_DEK)
  }

  get isOver(): boolean {
    return this.#control.signal.aborted || this.#failedInARow >= FAILURES_IN_A_ROW_MAX
  }

  report(): RewrapReport {
    const isStopped = this.#control.signal.aborted
    return {
      rewrapped: this.#rewrapped,
      failures: [...this.#failures.values()],
      isStopped,
      isGivenUp: this.isOver && !isStopped,
    }
  }

  /** Goes over all DEKs once; resolves to the number of those that it wrapped anew. */
  async pass(): Promise<number> {
    const before = this.#rewrapped
    await forEachOf(this.#deks(), DEKS_AT_ONCE, async (dekId) => {
      if (!this.isOver && !this.#failures.has(dekId)) await this.#one(dekId)
    })
    return this.#rewrapped - before
  }

  async *#deks(): AsyncGenerator<string> {
    for await (const { dekId } of deksEver(this.#services.mapping, this.#scope)) {
      if (this.isOver) return
      yield dekId
    }
  }

  async #one(dekId: string): Promise<void> {
    try {
      const outcome = await this.#patience.with(() => rewrapDek(this.#services, this.#scope, dekId))
      if (outcome === 'current') return
      this.#failedInARow = 0
      this.#rewrapped++
      this.#control.onRewrapped(dekId)
    } catch (error) {
      if (isSealError(error, 'SEAL_STOPPED')) return
      if (!isSealError(error)) throw error
      this.#failedInARow++
      this.#failures.set(dekId, { dekId, code: error.code, message: error.message })
    }
  }
}
