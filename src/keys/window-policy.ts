import { DEK_AGE_MS_MAX, DEK_MESSAGES_MAX } from '../limits.ts'

/** How much one DEK may be used: whichever is reached first counts. */
export interface WindowLimits {
  readonly ageMs: number
  readonly messagesMax: number
  /** Bytes of frames. */
  readonly bytesMax: number
}

/** When a window turns, and what it may never exceed. */
export interface WindowPolicy {
  /** The window turns here, as soon as the next DEK is at hand. */
  readonly soft: WindowLimits
  /** Nothing is sealed beyond, whatever becomes of the KMS. Never below `soft`. */
  readonly hard: WindowLimits
  /** DEKs kept ready beside the next one. */
  readonly reserve: number
}

/** What the operator says of windows. */
export interface WindowSettings extends WindowLimits {
  /** How many times its limits a DEK may be used while no next one can be had. */
  readonly outageFactor: number
  readonly reserve: number
}

/** What one leaked DEK may reveal at most; what is left out is bounded by the window alone. */
export type ExposureBudget = { readonly [K in keyof WindowLimits]?: WindowLimits[K] | undefined }

/**
 * Derives when windows turn. The budget is the hard limit; the soft one lies below it by the outage
 * factor, so that an outage of the KMS can be ridden out within the budget. The smaller value always
 * holds: a budget never widens a window. One message a DEK means one, in an outage too.
 */
export function windowPolicyOf(window: WindowSettings, budget: ExposureBudget = {}): WindowPolicy {
  const { outageFactor, reserve } = window
  const limits = (name: keyof WindowLimits, most: number) => {
    const budgeted = budget[name] ?? Number.POSITIVE_INFINITY
    const soft = Math.min(window[name], Math.max(1, Math.floor(budgeted / outageFactor)))
    const isSingle = name === 'messagesMax' && window[name] === 1
    const hard = isSingle ? 1 : Math.min(window[name] * outageFactor, budgeted, most)
    return { soft, hard: Math.max(soft, hard) }
  }
  const age = limits('ageMs', DEK_AGE_MS_MAX)
  const messages = limits('messagesMax', DEK_MESSAGES_MAX)
  const bytes = limits('bytesMax', Number.MAX_SAFE_INTEGER)
  return {
    soft: { ageMs: age.soft, messagesMax: messages.soft, bytesMax: bytes.soft },
    hard: { ageMs: age.hard, messagesMax: messages.hard, bytesMax: bytes.hard },
    reserve,
  }
}
