/** The state of the panel: that of the kernel of the notebook in front. */

import { ISessionContext } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import { Kernel, KernelMessage } from '@jupyterlab/services';
import { VDomModel } from '@jupyterlab/ui-components';
import { ISignal, Signal } from '@lumino/signaling';

import { Gone, INews, Link, VerbError } from './link';
import { IDrift, IInfo, IPlan, IProblem, IProgress, IRecord } from './schema';
import { lineOf } from './words';

/**
 * One change, from its plan to its end.
 *
 * - `planning`: a dry run is going on
 * - `planned`: its plan is shown
 * - `waiting`: the kernel's cell has to end first
 * - `running`, `done`, `failed`
 */
export interface IWork {
  id: number;
  line: string;
  verb: string;
  words: string[];
  phase: 'planning' | 'planned' | 'waiting' | 'running' | 'done' | 'failed';
  plan: IPlan | null;
  said: string[];
  progress: IProgress | null;
  problem: IProblem | null;
  output: SimplifiedOutputArea | null;
}

/** What is known of one kernel. */
export class KernelModel {
  constructor(
    readonly kernel: Kernel.IKernelConnection,
    readonly context: ISessionContext
  ) {
    this.link = new Link(kernel);
    this.link.stateChanged.connect((_, state) => {
      if (state !== 'ready') {
        this._forget();
      }
      this._emit();
    });
    this.link.historyChanged.connect(() => {
      this.stale = true;
      this._emit();
    });
    kernel.statusChanged.connect((_, status) => {
      if (status === 'idle' && this.work?.phase === 'waiting') {
        void this._start(this.work);
      }
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Ask for what every tab shows. */
  async refresh(): Promise<void> {
    if (this.link.state !== 'ready' || this._refreshing) {
      return;
    }
    this._refreshing = true;
    this.stale = false;
    try {
      [this.info, this.history, this.drifts] = await Promise.all([
        this.link.ask<IInfo>('info', []),
        this.link.ask<IRecord[]>('history', ['--limit', '0']),
        this.link.ask<IDrift[]>('diff', [])
      ]);
      this.problem = null;
    } catch (error) {
      if (error instanceof VerbError) {
        this.problem = error.parts;
      } else if (!(error instanceof Gone)) {
        throw error;
      }
    } finally {
      this._refreshing = false;
      this._emit();
    }
  }

  /** Show what a change would do; nothing is changed. */
  async plan(verb: string, words: string[], cells?: string[]): Promise<void> {
    const work = this._begin(verb, words, 'planning');
    const more = cells === undefined ? {} : { cells };
    const news = (each: INews) => {
      if (each.say !== undefined) {
        work.said.push(each.say);
      }
      if (each.progress !== undefined) {
        work.progress = each.progress;
      }
      this._emit();
    };
    try {
      work.plan = await this.link.ask<IPlan>(verb, [...words, '--dry-run'], more, news);
      work.phase = 'planned';
    } catch (error) {
      this._failed(work, error);
    }
    work.progress = null;
    this._emit();
  }

  /** Show a plan that was worked out before, of this line. */
  show(verb: string, words: string[], plan: IPlan): void {
    this._begin(verb, words, 'planned').plan = plan;
    this._emit();
  }

  /** Run a line as a cell would; while a cell runs, say that it waits. */
  async run(verb: string, words: string[], panel: NotebookPanel): Promise<void> {
    const work = this._begin(verb, words, 'waiting');
    work.output = new SimplifiedOutputArea({
      model: new OutputAreaModel({ trusted: true }),
      rendermime: panel.content.rendermime
    });
    if (this.kernel.status === 'idle') {
      await this._start(work);
    }
  }

  /** The lines that load jstackmagic; they install it first where a first attempt found none. */
  get loader(): string {
    return (this.isMissing ? '%pip install jstackmagic\n' : '') + '%load_ext jstackmagic';
  }

  /** Load jstackmagic, as the lines that the panel shows do. */
  async load(): Promise<void> {
    this.loading = '';
    const future = this.kernel.requestExecute({
      // a folder that an uninstall left was imported in its place by the first attempt
      code: this.loader.replace('\n', '\n__import__("sys").modules.pop("jstackmagic", None)\n'),
      store_history: false,
      allow_stdin: false
    });
    let said = '';
    future.onIOPub = message => {
      if (KernelMessage.isStreamMsg(message)) {
        said += message.content.text; // pip's own words, of which the last say why it failed
      }
    };
    const reply = await future.done.catch(() => null); // the kernel starts again
    await this.link.look();
    if (this.link.state !== 'ready') {
      await this.link.look(); // the first answer may have been on its way before the end
    }
    if (reply && this.link.state === 'absent') {
      const error = reply.content.status === 'error' ? reply.content : null;
      const last = said.trim().split('\n').slice(-4);
      this.loading = [...last, error?.evalue ?? ''].join('\n').trim();
      // without an error the module is a folder that an uninstall has left
      this.isMissing = !error || error.ename === 'ModuleNotFoundError';
    }
    this._emit();
  }

  /** Give up what is planned or waits, or put away what is over. */
  dismiss(): void {
    this.work?.output?.dispose();
    this.work = null;
    this._emit();
  }

  /** Stop what runs, as the notebook's own button does. */
  async interrupt(): Promise<void> {
    await this.kernel.interrupt();
  }

  private _begin(verb: string, words: string[], phase: IWork['phase']): IWork {
    this.work?.output?.dispose();
    this.work = {
      id: this._works++,
      line: lineOf(verb, words),
      verb,
      words,
      phase,
      plan: null,
      said: [],
      progress: null,
      problem: null,
      output: null
    };
    this._emit();
    return this.work;
  }

  private async _start(work: IWork): Promise<void> {
    work.phase = 'running';
    this._emit();
    const future = this.kernel.requestExecute({
      code: work.line,
      store_history: false,
      allow_stdin: false,
      stop_on_error: true
    });
    if (work.output) {
      work.output.future = future;
    }
    try {
      const reply = await future.done;
      work.phase = reply?.content.status === 'ok' ? 'done' : 'failed';
    } catch (error) {
      this._failed(work, error);
    }
    await this.refresh();
    this._emit();
  }

  private _failed(work: IWork, error: unknown): void {
    work.phase = 'failed';
    if (error instanceof VerbError) {
      work.problem = error.parts;
    } else {
      work.problem = { problem: '', kept: '', advice: [] };
    }
  }

  private _forget(): void {
    this.info = null;
    this.history = [];
    this.drifts = [];
    this.problem = null;
    this.stale = true;
  }

  private _emit(): void {
    this._changed.emit();
  }

  readonly link: Link;
  info: IInfo | null = null;
  history: IRecord[] = [];
  drifts: IDrift[] = [];
  problem: IProblem | null = null;
  work: IWork | null = null;
  /** The error of the last attempt to load jstackmagic. */
  loading = '';
  /** The kernel's environment has no jstackmagic. */
  isMissing = false;
  /** The history has grown since the last refresh. */
  stale = true;
  private _works = 0;
  private _refreshing = false;
  private _changed = new Signal<this, void>(this);
}

/** The kernel of the notebook in front; each kernel that was in front keeps its state. */
export class PanelModel extends VDomModel {
  constructor(private _tracker: INotebookTracker) {
    super();
    _tracker.currentChanged.connect(this._follow, this);
    this._follow();
  }

  /** The notebook in front; null without one. */
  get notebook(): NotebookPanel | null {
    return this._tracker.currentWidget;
  }

  /** Its kernel; null while it has none. */
  get current(): KernelModel | null {
    return this.of(this.notebook);
  }

  /** The kernel of a notebook that is or was in front. */
  of(notebook: NotebookPanel | null): KernelModel | null {
    const kernel = notebook?.sessionContext.session?.kernel;
    return (kernel && this._kernels.get(kernel)) ?? null;
  }

  /** The source of the notebook's code cells as they stand there, saved or not. */
  get cells(): string[] {
    const cells = [...(this.notebook?.content.model?.cells ?? [])];
    return cells.filter(cell => cell.type === 'code').map(cell => cell.sharedModel.getSource());
  }

  /** The tab that is shown. */
  get tab(): string {
    return this._tab;
  }
  set tab(tab: string) {
    this._tab = tab;
    this.stateChanged.emit();
  }

  /** Only a panel that is seen asks for anything. */
  set isVisible(visible: boolean) {
    this._isVisible = visible;
    this._update();
  }

  private _follow(): void {
    const context = this.notebook?.sessionContext;
    if (context && !this._contexts.has(context)) {
      this._contexts.add(context);
      context.kernelChanged.connect(this._meet, this);
    }
    this._meet();
  }

  private _meet(): void {
    const context = this.notebook?.sessionContext;
    const kernel = context?.session?.kernel;
    if (context && kernel && !this._kernels.has(kernel)) {
      const model = new KernelModel(kernel, context);
      this._kernels.set(kernel, model);
      model.changed.connect(this._update, this);
    }
    this._update();
  }

  private _update(): void {
    const current = this.current;
    if (this._isVisible && current?.stale && current.link.state === 'ready') {
      void current.refresh();
    }
    this.stateChanged.emit();
  }

  private _isVisible = false;
  private _tab = 'environment';
  private _contexts = new WeakSet<ISessionContext>();
  private _kernels = new WeakMap<Kernel.IKernelConnection, KernelModel>();
}
