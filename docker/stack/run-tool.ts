import { spawn } from 'node:child_process'
import { StackError } from './stack-error.ts'

const TAIL_LINES_MAX = 20
const OUTPUT_CHARS_MAX = 1_000_000

/** What a finished tool left: its exit code (null: it could not be run, or a signal ended it). */
export interface ToolResult {
  readonly code: number | null
  /** stdout and stderr in the order of arrival. */
  readonly output: string
}

/** Where and with which extra environment a tool runs. */
export interface ToolOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a program to its end without a shell. Never rejects: read `code`. */
export function tryTool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', (error) => resolve({ code: null, output: error.message }))
    child.once('close', (code) => resolve({ code, output }))
  })
}

/** Runs a program and throws STACK_INSTALL_FAILED with the tail of its output unless it exits 0. */
export async function runTool(
  what: string,
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<void> {
  const { code, output } = await tryTool(command, args, options)
  if (code === 0) return
  const tail = output.trimEnd().split('\n').slice(-TAIL_LINES_MAX)
  const ending = code === null ? 'did not run' : `ended with code ${code}`
  throw new StackError('STACK_INSTALL_FAILED', `${what} failed: ${command} ${ending}`, tail)
}
