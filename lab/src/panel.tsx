/** The panel: a head for the environment, tabs, and below them the change that is going on. */

import { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer, refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Add } from './add';
import { Drift } from './drift';
import { jstackmagicIcon } from './icon';
import { Keep } from './keep';
import { LinkState } from './link';
import { Missing } from './missing';
import { KernelModel, PanelModel } from './model';
import { Environment } from './packages';
import { IconButton, Line, Problem } from './parts';
import { ITabProps } from './tabs';
import { Timeline } from './timeline';
import { Work } from './work';

interface ITab {
  id: string;
  label: string;
  view: (props: ITabProps) => React.ReactElement;
}

function tabs(trans: TranslationBundle): ITab[] {
  return [
    { id: 'environment', label: trans.__('Environment'), view: Environment },
    { id: 'timeline', label: trans.__('Timeline'), view: Timeline },
    { id: 'missing', label: trans.__('Missing'), view: Missing },
    { id: 'add', label: trans.__('Add'), view: Add },
    { id: 'drift', label: trans.__('Drift'), view: Drift },
    { id: 'keep', label: trans.__('Make permanent'), view: Keep }
  ];
}

export class PanelWidget extends VDomRenderer<PanelModel> {
  constructor(
    model: PanelModel,
    private _trans: TranslationBundle
  ) {
    super(model);
    this.id = 'jstackmagic-panel';
    this.addClass('jp-jstackmagic');
    this.title.icon = jstackmagicIcon;
    this.title.caption = _trans.__('Environment (jstackmagic)');
    this.node.tabIndex = -1;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
  }

  protected override onAfterShow(): void {
    this.model.isVisible = true;
  }

  protected override onAfterHide(): void {
    this.model.isVisible = false;
  }

  /** The keyboard goes on in the panel. */
  protected override onActivateRequest(): void {
    // the command palette gives the focus back to where it came from, when it closes
    setTimeout(() => {
      const first = this.node.querySelector<HTMLElement>('[aria-selected=true], .jp-mod-accept');
      (first ?? this.node).focus();
    }, 0);
  }

  protected override render(): React.ReactElement {
    return <View model={this.model} trans={this._trans} />;
  }
}

function View({ model, trans }: { model: PanelModel; trans: TranslationBundle }) {
  const kernel = model.current;
  const notebook = model.notebook;
  if (!notebook) {
    return <p className="jp-jstackmagic-empty">{trans.__('Open a notebook to see its environment.')}</p>;
  }
  if (!kernel) {
    return <p className="jp-jstackmagic-empty">{trans.__('This notebook has no kernel.')}</p>;
  }
  return (
    <>
      <Head kernel={kernel} trans={trans} />
      {kernel.link.state === 'ready' ? (
        <Tabs kernel={kernel} model={model} trans={trans} />
      ) : (
        <NotReady kernel={kernel} state={kernel.link.state} trans={trans} />
      )}
    </>
  );
}

function Head({ kernel, trans }: { kernel: KernelModel; trans: TranslationBundle }) {
  const environment = kernel.info?.environments[0];
  const remote = kernel.info?.host.remote;
  return (
    <div className="jp-jstackmagic-head">
      <h2>
        {environment
          ? (environment.name ?? environment.prefix.split('/').pop())
          : kernel.context.kernelDisplayName}
      </h2>
      {environment && (
        <>
          <IconButton
            icon={refreshIcon}
            label={trans.__('Read the environment again')}
            onClick={() => void kernel.refresh()}
          />
          <p>
            {environment.python ? trans.__('Python %1', environment.python) : ''} · {environment.prefix}
          </p>
          {remote && <p>{trans.__('A remote kernel, on %1', remote)}</p>}
        </>
      )}
    </div>
  );
}

function NotReady(props: {
  kernel: KernelModel;
  state: LinkState;
  trans: TranslationBundle;
}) {
  const { kernel, state, trans } = props;
  const words: { [state in LinkState]: string } = {
    starting: trans.__('The kernel is not connected yet.'),
    waiting: trans.__('The kernel is busy. The panel waits for it.'),
    foreign: trans.__('This kernel does not run Python. The panel shows the environments of Python kernels.'),
    absent: trans.__('jstackmagic is not loaded in this kernel.'),
    ready: '',
    dead: trans.__('The kernel has ended.')
  };
  return (
    <div className="jp-jstackmagic-empty" role="status">
      <p>{words[state]}</p>
      {state === 'absent' && (
        <>
          <Line text={kernel.loader} trans={trans} />
          <button
            className="jp-mod-styled jp-mod-accept"
            onClick={() => void kernel.load()}
          >
            {kernel.isMissing ? trans.__('Install and load it') : trans.__('Load it')}
          </button>
          {kernel.loading && <Problem problem={{ problem: kernel.loading, kept: '', advice: [] }} />}
        </>
      )}
    </div>
  );
}

function Tabs(props: ITabProps) {
  const { kernel, model, trans } = props;
  const every = React.useMemo(() => tabs(trans), [trans]);
  const current = model.tab;
  const list = React.useRef<HTMLDivElement>(null);
  const at = every.findIndex(tab => tab.id === current);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to =
      event.key === 'Home' ? 0 : event.key === 'End' ? every.length - 1 : step && (at + step + every.length) % every.length;
    if (to !== undefined) {
      event.preventDefault();
      model.tab = every[to].id;
      list.current?.querySelectorAll<HTMLElement>('[role=tab]')[to].focus();
    }
  };
  const Current = every[at].view;
  return (
    <>
      <div ref={list} role="tablist" className="jp-jstackmagic-tabs" onKeyDown={onKeyDown}>
        {every.map(tab => (
          <button
            key={tab.id}
            role="tab"
            id={`jstackmagic-tab-${tab.id}`}
            aria-selected={tab.id === current}
            aria-controls="jstackmagic-tabpanel"
            tabIndex={tab.id === current ? 0 : -1}
            onClick={() => (model.tab = tab.id)}
          >
            {tab.label}
          </button>
        ))}
      </div>
      <section
        id="jstackmagic-tabpanel"
        role="tabpanel"
        aria-labelledby={`jstackmagic-tab-${current}`}
        className="jp-jstackmagic-tabpanel"
      >
        {kernel.problem && <Problem problem={kernel.problem} />}
        {kernel.info ? (
          <Current {...props} />
        ) : (
          !kernel.problem && <p role="status">{trans.__('Reading the environment …')}</p>
        )}
      </section>
      <Work {...props} />
    </>
  );
}
