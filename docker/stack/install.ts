import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/clock.ts'
import { withLock } from './lock.ts'
import type { Tool } from './prerequisites.ts'
import { missingTools, missingToolsError } from './prerequisites.ts'
import { runTool } from './run-tool.ts'
import type { PartName, StackReporter } from './stack-model.ts'
import { renderTemplate } from './template.ts'

const LOCK_WAIT_MS = 15 * 60_000
const HEARTBEAT_MS = 15_000
const MAVEN_SCOPE = ['-DincludeScope=runtime', '-DoutputDirectory=.']

interface Recipe {
  readonly part: PartName
  readonly folder: string
  /** A file that is there only in a complete, usable install. */
  readonly proof: string
  readonly tool: Tool
  /** Fills the folder `into`, which exists and is empty. */
  readonly build: (into: string) => Promise<void>
}

const RECIPES: Readonly<Record<PartName, Recipe>> = {
  kafka: {
    part: 'kafka',
    folder: 'kafka-4.1.1',
    proof: 'kafka_2.13-4.1.1.jar',
    tool: 'mvn',
    // The jar set brings log4j but nothing that connects SLF4J to it.
    build: (into) =>
      fetchJars(into, [
        'org.apache.kafka:kafka_2.13:4.1.1',
        'org.apache.logging.log4j:log4j-slf4j-impl:2.25.1',
      ]),
  },
  cassandra: {
    part: 'cassandra',
    folder: 'cassandra-5.0.6',
    proof: 'cassandra-all-5.0.6.jar',
    tool: 'mvn',
    build: (into) => fetchJars(into, ['org.apache.cassandra:cassandra-all:5.0.6']),
  },
  s3: {
    part: 's3',
    folder: 'versitygw-1.8.0',
    proof: 'versitygw',
    tool: 'go',
    build: (into) =>
      runTool(
        'building versitygw',
        'go',
        [
          'install',
          '-trimpath',
          '-ldflags=-s -w',
          'github.com/versity/versitygw/cmd/versitygw@v1.8.0',
        ],
        { cwd: into, env: { GOBIN: into, GOFLAGS: '-buildvcs=false' } },
      ),
  },
  kms: {
    part: 'kms',
    folder: 'localstack-4.8.1',
    proof: 'bin/python',
    tool: 'python3',
    build: async (into) => {
      const pins = fileURLToPath(new URL('./config/kms-requirements.txt', import.meta.url))
      await runTool('creating the LocalStack environment', 'python3', ['-m', 'venv', into])
      const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--requirement', pins]
      await runTool('installing LocalStack', join(into, 'bin', 'python'), pip)
    },
  },
}

/** The folder that all checkouts share; SEALSTREAM_PARTS names another one. */
export function partsDirectory(): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return process.env.SEALSTREAM_PARTS || join(cache, 'sealstream', 'parts')
}

/** The folder of one installed part. It may not exist yet. */
export function partFolder(part: PartName): string {
  return join(partsDirectory(), RECIPES[part].folder)
}

/** The tools that are needed now and not there: Java always, the others only to install a part. */
export function missingPrerequisites(): Promise<Tool[]> {
  const builders = absentRecipes().map((recipe) => recipe.tool)
  return missingTools([...new Set<Tool>(['java', ...builders])])
}

/**
 * Installs the parts that are absent, in parallel where their tools allow it. Safe to call from
 * many processes: one works, the others wait and find the parts there.
 * Throws STACK_TOOL_MISSING, STACK_INSTALL_FAILED or STACK_BUSY.
 */
export async function installParts(report: StackReporter): Promise<void> {
  const missing = await missingPrerequisites()
  if (missing.length > 0) throw missingToolsError(missing)
  const waiting = absentRecipes()
  if (waiting.length === 0) return
  const detail = 'another process is installing; waiting for it'
  await withLock(
    join(partsDirectory(), 'install.lock'),
    LOCK_WAIT_MS,
    () => installAbsent(report),
    () => {
      for (const { part } of waiting) report({ part, step: 'installing', detail, elapsedMs: 0 })
    },
  )
}

async function installAbsent(report: StackReporter): Promise<void> {
  clearDrafts()
  // Maven's local repository is not made for two writers, so its parts follow one another.
  const lines = Map.groupBy(absentRecipes(), (recipe) => recipe.tool)
  const results = await Promise.allSettled(
    [...lines.values()].map(async (line) => {
      for (const recipe of line) await installOne(recipe, report)
    }),
  )
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

// Built beside its final place and renamed into it: a folder that has the name is complete.
async function installOne(recipe: Recipe, report: StackReporter): Promise<void> {
  const { part, folder } = recipe
  const startMs = systemClock.elapsedMs()
  const tell = (step: 'installing' | 'installed', detail: string) =>
    report({ part, step, detail, elapsedMs: systemClock.elapsedMs() - startMs })
  const work = `${folder} (by ${recipe.tool})`
  tell('installing', work)
  // A cold build takes minutes: a line now and then shows that it lives.
  const heartbeat = setInterval(() => tell('installing', work), HEARTBEAT_MS)
  const final = join(partsDirectory(), folder)
  const draft = `${final}.${process.pid}.draft`
  mkdirSync(draft, { recursive: true })
  try {
    await recipe.build(draft)
    rmSync(final, { recursive: true, force: true })
    renameSync(draft, final)
  } finally {
    clearInterval(heartbeat)
    rmSync(draft, { recursive: true, force: true })
  }
  tell('installed', final)
}

async function fetchJars(into: string, artifacts: readonly string[]): Promise<void> {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  const pom = renderTemplate('maven-pom.xml', { dependencies: dependencies.join('\n    ') })
  writeFileSync(join(into, 'pom.xml'), pom)
  const goal = 'dependency:copy-dependencies'
  const args = ['--quiet', '--batch-mode', goal, ...MAVEN_SCOPE]
  await runTool(`fetching ${artifacts[0]}`, 'mvn', args, { cwd: into })
}

function absentRecipes(): Recipe[] {
  return Object.values(RECIPES).filter(
    (recipe) => !existsSync(join(partsDirectory(), recipe.folder, recipe.proof)),
  )
}

// The caller holds the lock, so a draft that is still here belongs to a process that died.
function clearDrafts(): void {
  for (const name of readdirSync(partsDirectory())) {
    if (name.endsWith('.draft')) rmSync(join(partsDirectory(), name), { recursive: true })
  }
}
