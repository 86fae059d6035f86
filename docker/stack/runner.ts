import type { Part, PartContext } from './part.ts'
import type { StackReporter } from './stack-model.ts'

/** A part that is running now. */
export interface RunningPart {
  readonly pid: number
  readonly startedAtMs: number
}

/** How parts are run: as processes of this machine, or as containers. */
export interface Runner {
  readonly name: 'native' | 'docker'
  /** Fetches what is absent. Throws a StackError that says what is missing. */
  install(context: PartContext, report: StackReporter): Promise<void>
  /** Begins one part; it is not ready yet when this resolves. */
  launch(part: Part, context: PartContext): Promise<void>
  running(part: Part, context: PartContext): Promise<RunningPart | null>
  /** Ends one part and waits for it. Resolves with false when it was not running. */
  end(part: Part, context: PartContext): Promise<boolean>
  /** Where a person reads what the part says: a path or a command. */
  logPlace(part: Part, context: PartContext): string
  /** The last lines the part printed. */
  logTail(part: Part, context: PartContext): Promise<readonly string[]>
  /** Deletes data that lies outside the stack's directory. */
  erase(context: PartContext): Promise<void>
}
