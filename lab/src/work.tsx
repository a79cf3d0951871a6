/** The change that is going on: its line, its plan, and what the kernel shows of it. */

import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { IWork } from './model';
import { Line, Problem, Signed, Table, sizeText, versionOf } from './parts';
import { IPackage, IPlan, IProgress } from './schema';
import { ITabProps } from './tabs';

export function Work({ kernel, model, trans }: ITabProps) {
  const work = kernel.work;
  const box = React.useRef<HTMLElement>(null);
  const phase = work?.phase;
  const wasShown = React.useRef(false);
  React.useEffect(() => {
    // the button that had the focus is gone: the keyboard goes on beside it
    const focused = document.activeElement;
    const isLost = !focused || focused === document.body || focused === box.current;
    const side = box.current ?? document.querySelector('.jp-jstackmagic [aria-selected=true][role=tab]');
    if (phase === 'planned' || (isLost && (phase === 'done' || phase === 'failed'))) {
      box.current?.querySelector<HTMLElement>('.jp-jstackmagic-buttons button')?.focus();
    } else if (isLost && (phase || wasShown.current)) {
      (side as HTMLElement | null)?.focus();
    }
    wasShown.current = !!phase;
  }, [phase]);
  if (!work) {
    return null;
  }
  const over = work.phase === 'done' || work.phase === 'failed';
  const isNothing = work.phase === 'planned' && !hasSteps(work.plan);
  return (
    <section ref={box} tabIndex={-1} className="jp-jstackmagic-work" aria-label={trans.__('The change')}>
      <Line text={work.line} trans={trans} />
      <p role="status">{phaseText(work, isNothing, trans)}</p>
      <div className="jp-jstackmagic-result" tabIndex={0} role="region" aria-label={trans.__('What comes of it')}>
        {work.phase === 'planning' && <Bar progress={work.progress} trans={trans} />}
        {work.phase !== 'running' && work.said.map((line, at) => <pre key={at}>{line}</pre>)}
        {work.problem && <Problem problem={work.problem} />}
        {work.phase === 'planned' && <Plan plan={work.plan!} trans={trans} />}
        {work.output && <Output key={work.id} widget={work.output} />}
      </div>
      <div className="jp-jstackmagic-buttons">
        {work.phase === 'planned' && !isNothing && (
          <button
            className="jp-mod-styled jp-mod-accept"
            onClick={() => void kernel.run(work.verb, work.words, model.notebook!)}
          >
            {trans.__('Do it')}
          </button>
        )}
        {work.phase === 'running' && (
          <button className="jp-mod-styled jp-mod-warn" onClick={() => void kernel.interrupt()}>
            {trans.__('Stop')}
          </button>
        )}
        {work.phase !== 'running' && (
          <button className="jp-mod-styled jp-mod-reject" onClick={() => kernel.dismiss()}>
            {over || isNothing ? trans.__('Close') : trans.__('Cancel')}
          </button>
        )}
      </div>
    </section>
  );
}

function phaseText(work: IWork, isNothing: boolean, trans: TranslationBundle): string {
  switch (work.phase) {
    case 'planning':
      return trans.__('Working out the plan …');
    case 'planned':
      return isNothing ? trans.__('There is nothing to do.') : trans.__('This would be done:');
    case 'waiting':
      return trans.__('A cell is running. This starts when it has ended.');
    case 'running':
      return trans.__('Running …');
    case 'done':
      return trans.__('Done.');
    case 'failed':
      return work.problem ? '' : trans.__('It failed.');
  }
}

function hasSteps(plan: IPlan | null): boolean {
  return !!plan?.steps.some(step => step.commands.length);
}

function Bar({ progress, trans }: { progress: IProgress | null; trans: TranslationBundle }) {
  const label = progress ? `${progress.doing} ${progress.item}` : trans.__('The plan');
  // without a value it is a bar that moves and says nothing of how far
  return progress?.total ? (
    <progress aria-label={label} max={progress.total} value={progress.done} />
  ) : (
    <progress aria-label={label} />
  );
}

function Plan({ plan, trans }: { plan: IPlan; trans: TranslationBundle }) {
  const rows = plan.steps.flatMap(step => {
    const { added = [], changed = [], removed = [] } = step.planned ?? {};
    return [
      ...added.map((now): Pair => [null, now]),
      ...changed,
      ...removed.map((before): Pair => [before, null])
    ];
  });
  return (
    <>
      {[...plan.notes, ...plan.steps.flatMap(step => step.notes)].map((note, at) => (
        <p key={at}>{note}</p>
      ))}
      {plan.steps.flatMap(step => step.commands).map((command, at) => (
        <code key={at} className="jp-jstackmagic-command">
          $ {command}
        </code>
      ))}
      {rows.length > 0 && (
        <Table
          caption={trans._n('%1 package', '%1 packages', rows.length)}
          columns={[trans.__('Package'), trans.__('Version'), trans.__('Size')]}
        >
          {rows.slice(0, MOST).map(([before, now], at) => (
            <tr key={at}>
              <td>
                <Signed before={before} now={now} trans={trans} />
              </td>
              <td>{versionOf(before, now)}</td>
              <td>{sizeText((now ?? before)!.size)}</td>
            </tr>
          ))}
        </Table>
      )}
      {rows.length > MOST && <p>{trans.__('and %1 more', rows.length - MOST)}</p>}
      {rows.length === 0 && hasSteps(plan) && (
        <p>{trans.__('The manager does not say in advance what this changes.')}</p>
      )}
    </>
  );
}

const MOST = 200; // rows of a plan

type Pair = [IPackage | null, IPackage | null];

/** A widget of JupyterLab's in what React draws. */
function Output({ widget }: { widget: Widget }) {
  const box = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    if (!widget.isDisposed) {
      Widget.attach(widget, box.current!);
    }
    return () => {
      if (widget.isAttached) {
        Widget.detach(widget);
      }
    };
  }, [widget]);
  return <div ref={box} className="jp-jstackmagic-output" />;
}
