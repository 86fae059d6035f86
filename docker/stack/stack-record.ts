import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StackEndpoints, StackPorts } from './stack-model.ts'

/** What the last start decided; it outlives a stop, so that a later start takes the same ports. */
export interface StackRecord {
  readonly runner: 'native' | 'docker'
  readonly ports: StackPorts
}

const OWNED = ['data', 'config', 'logs', 'run', 'endpoints.json', 'stack.json']

/** The record of a stack directory, or null when no stack was ever started there. */
export function readStackRecord(directory: string): StackRecord | null {
  return readJson<StackRecord>(join(directory, 'stack.json'))
}

/** Keeps the record. The directory is created when absent. */
export function writeStackRecord(directory: string, record: StackRecord): void {
  mkdirSync(directory, { recursive: true })
  writeJson(join(directory, 'stack.json'), record)
}

/** The endpoints of the running stack, or null. */
export function readEndpoints(directory: string): StackEndpoints | null {
  return readJson<StackEndpoints>(join(directory, 'endpoints.json'))
}

/** Publishes the endpoints for other programs; null takes them back. */
export function publishEndpoints(directory: string, endpoints: StackEndpoints | null): void {
  const path = join(directory, 'endpoints.json')
  if (endpoints === null) rmSync(path, { force: true })
  else writeJson(path, endpoints)
}

/** Deletes what a stack keeps in its directory, and nothing else that may lie there. */
export function eraseStackFiles(directory: string): void {
  if (!existsSync(join(directory, 'stack.json'))) return
  for (const name of OWNED) rmSync(join(directory, name), { recursive: true, force: true })
}

// Renamed into place: a reader sees the old text or the new one, never half of one.
function writeJson(path: string, value: unknown): void {
  const draft = `${path}.draft`
  writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  renameSync(draft, path)
}

function readJson<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch {
    return null
  }
}
