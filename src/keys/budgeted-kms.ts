import type { PacedBudget } from '../paced-budget.ts'
import type { Kms } from './kms.ts'

/** Calls that one rewrap may cost the service: it unwraps and wraps, here or there. */
export const CALLS_PER_REWRAP = 2

/**
 * The same KMS, asked within a budget of calls, whoever asks: jobs must leave quota to those who seal
 * and read.
 */
export function budgetedKms(kms: Kms, budget: PacedBudget): Kms {
  return {
    async generateDataKey(...asked) {
      await budget.take(1)
      return kms.generateDataKey(...asked)
    },
    async unwrap(...asked) {
      await budget.take(1)
      return kms.unwrap(...asked)
    },
    async rewrap(...asked) {
      await budget.take(CALLS_PER_REWRAP)
      return kms.rewrap(...asked)
    },
    close: () => kms.close(),
  }
}
