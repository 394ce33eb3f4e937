//! Pools: slots that executions take, so that no more than so many are active at once.
//!
//! A pool is shared by all that name it in its namespace; the most task executions of a workflow
//! are a pool of its own. Must never hold who took what: that is the state's.

use crate::spec::{TaskSpec, WorkflowSpec};
use crate::{Namespace, PoolName, WorkflowName};

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolId {
    /// Of a namespace.
    Named(Namespace, PoolName),
    /// The task executions of a workflow.
    Workflow(Namespace, WorkflowName),
}

/// What an execution takes of a pool while it is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Of which pool.
    pub pool: PoolId,
    /// How many slots.
    pub slots: u32,
    /// How many the pool has, as the definition of this task says.
    pub size: u32,
}

impl WorkflowSpec {
    /// What an execution of one of its tasks takes.
    #[must_use]
    pub fn demands(&self, namespace: &Namespace, task: &TaskSpec) -> Vec<Demand> {
        if task.hook.is_some() {
            return Vec::new();
        }
        let named = task.pools.iter().filter_map(|(name, slots)| {
            let pool = PoolId::Named(namespace.clone(), name.clone());
            Some(Demand { pool, slots: *slots, size: *self.pools.get(name)? })
        });
        let own = self.max_active_tasks.map(|size| Demand {
            pool: PoolId::Workflow(namespace.clone(), self.name.clone()),
            slots: 1,
            size,
        });
        named.chain(own).collect()
    }

    /// Whether its executions take anything of any pool.
    #[must_use]
    pub fn has_pools(&self) -> bool {
        self.max_active_tasks.is_some() || !self.pools.is_empty()
    }
}
