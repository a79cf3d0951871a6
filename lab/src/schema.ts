/** The messages of src/jstackmagic/panel.py, and the part of the verbs' JSON that the panel shows. */

/** The version of the messages that this panel speaks. */
export const SCHEMA = 1;

export interface IProblem {
  problem: string;
  kept: string;
  advice: string[];
}

export interface IProgress {
  doing: string;
  item: string;
  done: number;
  total: number | null;
  unit: 'bytes' | 'packages' | '';
}

export interface IPackage {
  manager: string;
  name: string;
  version: string;
  build: string;
  source: string;
  size: number | null;
  requested: boolean;
}

export interface IRef {
  kind: string;
  name: string | null;
  prefix: string;
  python: string | null;
}

export interface IEnvironment extends IRef {
  writable: boolean;
  frozen: string | null;
  externally_managed: string | null;
  engines: { [manager: string]: { engine: string | null; why: string } };
}

/** `%envinfo --json` */
export interface IInfo {
  environments: IEnvironment[];
  host: { user: string; sudo: string; image: string | null; hub: boolean; remote: string };
}

export interface IDifference {
  before: IPackage | null;
  now: IPackage | null;
  record: string;
  needed_by: string[];
}

/** `%envdiff --json`: one for the environment, one for the system */
export interface IDrift {
  environment: IRef;
  managers: string[];
  evidence: { [manager: string]: string };
  differences: IDifference[];
}

export interface IChange {
  added: IPackage[];
  changed: [IPackage, IPackage][];
  removed: IPackage[];
}

export type Status = 'ok' | 'failed' | 'interrupted' | 'running' | 'planned' | 'found' | 'seen';

/** `%envhistory --json` */
export interface IRecord {
  id: string;
  time: string;
  status: Status;
  request: { action: string; manager: string; specs: string[] };
  environment: IRef;
  engine: string;
  commands: string[];
  context: { notebook: string; user: string; image: string };
  outcome: {
    exit_status: number;
    seconds: number;
    change: IChange | null;
    message: string;
  } | null;
  undoes: string;
  notes: string[];
  taken_back_by: string;
}

export interface IStep {
  manager: string;
  commands: string[];
  planned: IChange | null;
  notes: string[];
}

/** `%envinstall --dry-run --json`, and of `%envundo` */
export interface IPlan {
  notes: string[];
  steps: IStep[];
  missing?: { [module: string]: string };
}

/** `%envrequest --json` */
export interface IAsked {
  package: string;
  why: string;
  state: string;
}

/** `%envexport FORMAT --json` */
export interface IExport {
  /** What such a file is called. */
  name: string;
  text: string;
  files: string[];
  notes: string[];
}
