/** The connection to jstackmagic in one kernel: requests on the control channel, answers on IOPub. */

import { Kernel, KernelMessage } from '@jupyterlab/services';
import { JSONValue, UUID } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { IProblem, IProgress, SCHEMA } from './schema';

const TARGET = 'jstackmagic';
/** Milliseconds after which a kernel that has not answered is said to be busy. */
const PATIENCE = 2000;

/**
 * - `starting`: the kernel is not connected, or starts
 * - `waiting`: it does not answer now, as its control channel waits behind a cell
 * - `foreign`: it runs another language than Python
 * - `absent`: its jstackmagic is not loaded
 * - `ready`: it answers
 * - `dead`: it has ended
 */
export type LinkState = 'starting' | 'waiting' | 'foreign' | 'absent' | 'ready' | 'dead';

/** A line for people, or how far the work is. */
export interface INews {
  say?: string;
  progress?: IProgress | null;
}

/** A verb's error, in the parts that it has. */
export class VerbError extends Error {
  constructor(readonly parts: IProblem) {
    super(parts.problem);
  }
}

interface IPending {
  resolve: (value: JSONValue) => void;
  reject: (reason: Error) => void;
  news?: (news: INews) => void;
}

export class Link implements IDisposable {
  constructor(readonly kernel: Kernel.IKernelConnection) {
    kernel.iopubMessage.connect(this._onMessage, this);
    kernel.statusChanged.connect(this._onStatus, this);
    kernel.connectionStatusChanged.connect(this._onConnection, this);
    kernel.disposed.connect(this.dispose, this);
    void this.look();
  }

  get state(): LinkState {
    return this._state;
  }

  /** Emits when the state has changed. */
  get stateChanged(): ISignal<this, LinkState> {
    return this._stateChanged;
  }

  /** Emits when the history has grown. */
  get historyChanged(): ISignal<this, void> {
    return this._historyChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._abandon('dead');
    Signal.clearData(this);
  }

  /** Find jstackmagic in the kernel's list of comms, which is asked for on the control channel. */
  look(): Promise<void> {
    this._looking ??= this._look().finally(() => (this._looking = null));
    return this._looking;
  }

  private async _look(): Promise<void> {
    if (this.isDisposed || this.kernel.connectionStatus !== 'connected') {
      return;
    }
    const late = setTimeout(() => this._state === 'ready' || this._set('waiting'), PATIENCE);
    try {
      const language = (await this.kernel.spec)?.language ?? 'python';
      if (language.toLowerCase() !== 'python') {
        this._set('foreign');
        return;
      }
      let comms: string[] = [];
      const future = this._control('comm_info_request', { target_name: TARGET }, true);
      future.onReply = reply => {
        const { content } = reply as unknown as KernelMessage.ICommInfoReplyMsg;
        comms = content.status === 'ok' ? Object.keys(content.comms) : [];
      };
      await future.done;
      this._comm = comms[comms.length - 1] ?? '';
      // what a kernel is asked before it is up is given up again; its "idle" lets us look once more
      const isUp = this.kernel.status === 'idle' || this.kernel.status === 'busy';
      this._set(this._comm ? 'ready' : isUp ? 'absent' : 'starting');
    } catch {
      // the kernel went away, or starts again: its status says when to look next
    } finally {
      clearTimeout(late);
    }
  }

  /**
   * Ask for a verb's JSON.
   *
   * @param verb - as `info`
   * @param words - its arguments
   * @param more - `cells` for the notebook's source, `token` for completions
   * @param news - takes what comes before the answer
   * @throws VerbError - the verb's own error
   */
  ask<T>(
    verb: string,
    words: string[],
    more: { cells?: string[]; token?: string } = {},
    news?: (news: INews) => void
  ): Promise<T> {
    const id = UUID.uuid4();
    return new Promise<JSONValue>((resolve, reject) => {
      this._pending.set(id, { resolve, reject, news });
      const data = { schema: SCHEMA, id, verb, words, ...more };
      try {
        this._control('comm_msg', { comm_id: this._comm, data }, false);
      } catch (error) {
        this._pending.delete(id);
        reject(error as Error);
      }
    }) as Promise<T>;
  }

  private _control(msgType: string, content: object, expectReply: boolean): Kernel.IControlFuture {
    const { clientId, username } = this.kernel;
    // the types know only the control messages that JupyterLab itself sends
    const message = KernelMessage.createMessage({
      msgType,
      channel: 'control',
      session: clientId,
      username,
      content
    } as unknown as KernelMessage.IOptions<KernelMessage.IDebugRequestMsg>);
    return this.kernel.sendControlMessage(message, expectReply) as Kernel.IControlFuture;
  }

  private _onMessage(_: unknown, message: KernelMessage.IIOPubMessage): void {
    if (message.header.msg_type !== 'comm_msg') {
      return;
    }
    const content = (message as KernelMessage.ICommMsgMsg<'iopub'>).content;
    if (content.comm_id !== this._comm) {
      return;
    }
    const data = content.data as any;
    if (data.event === 'changed') {
      this._historyChanged.emit();
    } else if (data.event === 'closed') {
      this._abandon('starting');
      void this.look(); // a kernel that ends says the same, and will not answer this
    }
    const pending = this._pending.get(data.id);
    if (!pending) {
      return; // another window's
    }
    if ('value' in data) {
      this._pending.delete(data.id);
      pending.resolve(data.value);
    } else if ('error' in data) {
      this._pending.delete(data.id);
      pending.reject(new VerbError(data.error));
    } else {
      pending.news?.(data);
    }
  }

  private _onStatus(_: unknown, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'starting') {
      this._abandon('starting');
    } else if (status === 'dead') {
      this._abandon('dead');
    } else if (status === 'idle' && this._state !== 'ready') {
      void this.look();
    }
  }

  private _onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status === 'connected') {
      void this.look();
    } else {
      this._abandon('starting'); // what was asked may be answered to nobody
    }
  }

  private _abandon(state: LinkState): void {
    this._comm = '';
    const pending = [...this._pending.values()];
    this._pending.clear();
    pending.forEach(each => each.reject(new Gone()));
    this._set(state);
  }

  private _set(state: LinkState): void {
    if (state !== this._state) {
      this._state = state;
      this._stateChanged.emit(state);
    }
  }

  private _comm = '';
  private _isDisposed = false;
  private _looking: Promise<void> | null = null;
  private _pending = new Map<string, IPending>();
  private _state: LinkState = 'starting';
  private _stateChanged = new Signal<this, LinkState>(this);
  private _historyChanged = new Signal<this, void>(this);
}

/** The kernel has ended or starts again: an answer will not come. */
export class Gone extends Error {}
