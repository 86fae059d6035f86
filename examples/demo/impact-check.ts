import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { DemoError } from './demo-error.ts'
import { CLI, childEnvironment } from './encryptor.ts'
import type { ReferencesByObject } from './read-back.ts'

/** What `impact` said of one data key, and that the references agree. */
export interface ImpactFigures {
  readonly dekId: string
  readonly messages: number
  readonly objects: number
  readonly bytes: number
  /** References that name the objects which `impact` named. */
  readonly references: number
}

/** The data keys that an encryptor made, oldest first, out of its log. */
export function deksInLog(logPath: string): string[] {
  return readFileSync(logPath, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as { readonly dekId?: string }).dekId)
    .filter((dekId) => dekId !== undefined)
}

/**
 * Asks the command line what a data key ever protected and checks the answer, message by message
 * and object by object, against the references that were read. Throws a DemoError on a difference.
 */
export async function checkImpact(
  configPath: string,
  dekId: string,
  references: ReferencesByObject,
  signal: AbortSignal,
): Promise<ImpactFigures> {
  const args = [CLI, 'impact', '--dek', dekId, '--config', configPath, '--json', '--list']
  const child = spawn(process.execPath, args, {
    detached: true,
    signal,
    env: childEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  // The counts: the list has stdout to itself.
  let remarks = ''
  child.stderr.on('data', (chunk: Buffer) => {
    remarks += chunk.toString()
  })
  const listed = new Map<string, number>()
  for await (const line of createInterface({ input: child.stdout })) {
    const row = JSON.parse(line) as { readonly object: string }
    listed.set(row.object, (listed.get(row.object) ?? 0) + 1)
  }
  const [code] = await ended
  if (code !== 0) throw new DemoError(`impact ended with code ${code}: ${remarks.trim()}`)
  const { messages, objects, bytes } = JSON.parse(remarks) as ImpactFigures
  const figures = { dekId, messages, objects, bytes, references: sumOver(listed, references) }
  compare(figures, listed, references)
  return figures
}

function sumOver(listed: ReferencesByObject, references: ReferencesByObject): number {
  return [...listed.keys()].reduce((sum, object) => sum + (references.get(object) ?? 0), 0)
}

function compare(
  { dekId, messages, objects, references: named }: ImpactFigures,
  listed: ReferencesByObject,
  references: ReferencesByObject,
): void {
  const wrong = [...listed].find(([object, count]) => references.get(object) !== count)
  if (wrong !== undefined) {
    const [object, count] = wrong
    const there = references.get(object) ?? 0
    throw new DemoError(`impact lists ${count} messages in ${object}, ${there} references name it`)
  }
  if (listed.size !== objects || named !== messages || messages === 0) {
    throw new DemoError(
      `impact of ${dekId} says ${messages} messages in ${objects} objects, the references say ${named} in ${listed.size}`,
    )
  }
}
