import type { Clock } from '../clock.ts'
import { type ErrorKind, isSealError, type SealError } from '../errors.ts'
import type { Outcome } from './range-opener.ts'
import type { ReferenceValue, SealedReader, SettleOptions } from './sealed-reader.ts'

/** How reading goes on behind a message that does not open: not at all, or without it. */
export type FailureAction = 'stop' | 'skip'

/**
 * What becomes of failures of one kind. `retry` tries for ever, with growing pauses; with `triesMax`,
 * the first try included, `lastly` follows.
 */
export type ErrorPolicy =
  | FailureAction
  | 'retry'
  | { readonly triesMax: number; readonly lastly: FailureAction }

/** Policies by kind of failure. */
export type ErrorPolicies = Readonly<Partial<Record<ErrorKind, ErrorPolicy>>>

/** Waits for what comes back by itself, and stops at everything else: nothing passes unseen. */
export const DEFAULT_POLICIES: ErrorPolicies = {
  'key-unavailable': 'retry',
  'store-unavailable': 'retry',
}

/** References that did not open this time and are tried again. */
export interface Retry {
  /** Of the first of them. */
  readonly error: SealError
  readonly references: number
  /** Tries so far. */
  readonly tries: number
  readonly delayMs: number
}

const DELAY_MS_MIN = 200
const DELAY_MS_MAX = 10_000

/** What becomes of a failure in the end. */
export function actionFor(policies: ErrorPolicies, { kind }: SealError): FailureAction {
  const policy = policies[kind] ?? DEFAULT_POLICIES[kind] ?? 'stop'
  if (policy === 'retry') return 'stop'
  return typeof policy === 'object' ? policy.lastly : policy
}

/**
 * Opens references and tries those again whose failures are of a kind that says so. Resolves when no
 * failure is left that may be tried once more.
 */
export async function settlePatiently(
  reader: Pick<SealedReader, 'settleReferences'>,
  references: readonly ReferenceValue[],
  options: SettleOptions & {
    readonly policies: ErrorPolicies
    readonly clock: Clock
    readonly onRetry: (retry: Retry) => void
  },
): Promise<Outcome[]> {
  const { policies, clock, onRetry, signal } = options
  const outcomes = await reader.settleReferences(references, options)
  for (let tries = 1; ; tries++) {
    const again = outcomes.flatMap((outcome, i) =>
      isSealError(outcome) && tries < triesMaxOf(policies, outcome) ? [i] : [],
    )
    const [first] = again
    if (first === undefined) return outcomes
    // Half of it by chance, so that many readers do not come back at once.
    const whole = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** (tries - 1))
    const delayMs = Math.round(whole * (0.5 + Math.random() / 2))
    onRetry({ error: outcomes[first] as SealError, references: again.length, tries, delayMs })
    await clock.sleep(delayMs, signal)
    signal?.throwIfAborted()
    const asked = again.map((i) => references[i] as ReferenceValue)
    const opened = await reader.settleReferences(asked, options)
    again.forEach((i, at) => {
      outcomes[i] = opened[at] as Outcome
    })
  }
}

function triesMaxOf(policies: ErrorPolicies, { kind }: SealError): number {
  const policy = policies[kind] ?? DEFAULT_POLICIES[kind] ?? 'stop'
  if (policy === 'retry') return Number.POSITIVE_INFINITY
  return typeof policy === 'object' ? policy.triesMax : 1
}
