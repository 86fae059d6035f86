import { type Progress, startProgress } from './progress.ts'

/** A line of progress a step. */
export interface StepProgress {
  /** `total` is null where it is not known before the end. */
  stepBegan(step: string, total: number | null): void
  advanced(count: number): void
  end(): void
}

/** Shows the steps of a command on stderr, one line each; only on a terminal. */
export function stepProgress(): StepProgress {
  let current: Progress | null = null
  const end = () => {
    current?.end()
    current = null
  }
  return {
    stepBegan(step, total) {
      end()
      current = startProgress(step, true, total ?? undefined)
    },
    advanced: (count) => current?.add(count),
    end,
  }
}
