import type { LaunchPlan } from './part-process.ts'
import type { PartName, StackPorts } from './stack-model.ts'

/** What a part knows about the stack it belongs to. */
export interface PartContext {
  /** The absolute directory of the stack. */
  readonly directory: string
  readonly ports: StackPorts
}

/** One service of the stack: how it is started, and how one sees that it works. */
export interface Part {
  readonly name: PartName
  /** The ports that only this part listens on. */
  readonly portNames: readonly (keyof StackPorts)[]
  /** How long a polite end may take before it is killed. */
  readonly graceMs: number
  /** The address a user would connect to. */
  address(ports: StackPorts): string
  /** Writes configuration and data folders where they are missing, and says what to run. */
  plan(context: PartContext): Promise<LaunchPlan>
  /** Creates what every test expects to be there (bucket, KEK). Safe to repeat. Rejects until it can. */
  furnish(context: PartContext): Promise<void>
  /** One real request. Rejects when the part does not serve it. */
  probe(context: PartContext): Promise<void>
}
