import { join } from 'node:path'
import { tryTool } from './run-tool.ts'
import { StackError } from './stack-error.ts'

/** A program that the stack calls but does not bring along. */
export type Tool = 'java' | 'mvn' | 'go' | 'python3'

interface ToolNeed {
  readonly args: readonly string[]
  readonly wanted: string
  readonly debian: string
  readonly macos: string
  /** True when the output of the call shows a version that will do. */
  readonly suits: (output: string) => boolean
}

// Cassandra 5.0 installs a security manager when it starts, which Java 24 removed.
const NEEDS: Readonly<Record<Tool, ToolNeed>> = {
  java: {
    args: ['-version'],
    wanted: 'Java 17 to 23',
    debian: 'openjdk-17-jdk-headless',
    macos: 'openjdk@17',
    suits: (output) => between(/version "(\d+)/.exec(output)?.[1], 17, 23),
  },
  mvn: {
    args: ['-version'],
    wanted: 'Maven 3',
    debian: 'maven',
    macos: 'maven',
    suits: () => true,
  },
  go: {
    args: ['version'],
    wanted: 'Go 1.21 or newer',
    debian: 'golang-go',
    macos: 'go',
    suits: (output) => between(/go1\.(\d+)/.exec(output)?.[1], 21, Number.POSITIVE_INFINITY),
  },
  python3: {
    args: ['-c', 'import ensurepip, sys, venv; print("python3.%d" % sys.version_info[1])'],
    wanted: 'Python 3.10 or newer with venv',
    debian: 'python3 python3-venv',
    macos: 'python@3.13',
    suits: (output) => between(/python3\.(\d+)/.exec(output)?.[1], 10, Number.POSITIVE_INFINITY),
  },
}

/** The program to call for a tool; Java follows JAVA_HOME, as Maven does. */
export function toolCommand(tool: Tool): string {
  const javaHome = process.env.JAVA_HOME
  return tool === 'java' && javaHome ? join(javaHome, 'bin', 'java') : tool
}

/** Those of `tools` that are not installed or too old. */
export async function missingTools(tools: readonly Tool[]): Promise<Tool[]> {
  const found = await Promise.all(
    tools.map(async (tool) => {
      const need = NEEDS[tool]
      const { code, output } = await tryTool(toolCommand(tool), need.args)
      return code === 0 && need.suits(output)
    }),
  )
  return tools.filter((_, position) => !found[position])
}

/** The error that names every missing tool at once, with what to install. */
export function missingToolsError(missing: readonly Tool[]): StackError {
  const needs = missing.map((tool) => NEEDS[tool])
  return new StackError(
    'STACK_TOOL_MISSING',
    `missing on this machine: ${needs.map((need) => need.wanted).join(', ')}`,
    [
      `Debian, Ubuntu:  apt-get install -y ${needs.map((need) => need.debian).join(' ')}`,
      `macOS:           brew install ${needs.map((need) => need.macos).join(' ')}`,
      'or start a Docker engine: the stack then runs from docker/compose.yaml',
    ],
  )
}

function between(digits: string | undefined, min: number, max: number): boolean {
  return digits !== undefined && Number(digits) >= min && Number(digits) <= max
}
