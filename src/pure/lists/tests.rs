// SPDX-License-Identifier: GPL-2.0

//! Tests of lists and groups.

#[kernel::macros::kunit_tests(raio_lists)]
mod cases {
    use super::super::*;

    struct Table(KVec<Links>);

    impl Nodes for Table {
        fn links(&self, index: u32) -> Option<&Links> {
            self.0.get(index as usize)
        }
    }

    fn table() -> Result<Table> {
        let mut links = KVec::new();
        for _ in 0..40 {
            links.push(Links::default(), GFP_KERNEL)?;
        }
        Ok(Table(links))
    }

    #[test]
    fn a_list_is_a_fifo_that_can_be_left() -> Result {
        let (nodes, mut lists) = (table()?, Lists::new());
        for index in [3, 1, 4, 5, 9] {
            lists.push(&nodes, index, List::Block);
        }
        lists.push(&nodes, 2, List::Run);
        lists.remove(&nodes, 3);
        lists.remove(&nodes, 5);
        lists.remove(&nodes, 9);
        lists.remove(&nodes, 9);
        assert_eq!(lists.len(List::Block), 2);
        assert_eq!(lists.pop(&nodes, List::Block), Some(1));
        lists.push(&nodes, 6, List::Block);
        assert_eq!(lists.pop(&nodes, List::Block), Some(4));
        assert_eq!(lists.pop(&nodes, List::Block), Some(6));
        assert_eq!(lists.pop(&nodes, List::Block), None);
        assert_eq!(lists.pop(&nodes, List::Run), Some(2));
        assert!(nodes.0.iter().all(|links| !links.is_listed()));
        Ok(())
    }

    #[test]
    fn a_group_is_left_in_order() -> Result {
        let (nodes, mut groups) = (table()?, Groups::new(1)?);
        assert!(groups.join(&nodes, 7, 0x1000));
        assert!(!groups.join(&nodes, 8, 0x1000));
        assert!(!groups.join(&nodes, 9, 0x1000));
        assert!(groups.join(&nodes, 1, 0x2000));
        assert_eq!(groups.leave(&nodes, 7), Some(8));
        assert!(!groups.join(&nodes, 7, 0x1000));
        assert_eq!(groups.leave(&nodes, 8), Some(9));
        assert_eq!(groups.leave(&nodes, 9), Some(7));
        assert!(groups.is_busy(&nodes, 0x1000));
        assert_eq!(groups.leave(&nodes, 7), None);
        assert!(!groups.is_busy(&nodes, 0x1000));
        assert!(groups.is_busy(&nodes, 0x2000));
        Ok(())
    }

    #[test]
    fn a_group_can_be_left_from_its_middle_and_end() -> Result {
        let (nodes, mut groups) = (table()?, Groups::new(1)?);
        for index in 0..5 {
            groups.join(&nodes, index, 0x3000);
        }
        assert_eq!(groups.leave(&nodes, 2), None);
        assert_eq!(groups.leave(&nodes, 4), None);
        assert!(!groups.join(&nodes, 5, 0x3000));
        assert_eq!(groups.leave(&nodes, 0), Some(1));
        assert_eq!(groups.leave(&nodes, 1), Some(3));
        assert_eq!(groups.leave(&nodes, 3), Some(5));
        assert_eq!(groups.leave(&nodes, 5), None);
        assert_eq!(groups.leave(&nodes, 5), None);
        Ok(())
    }

    #[test]
    fn many_groups_share_buckets() -> Result {
        let (nodes, mut groups) = (table()?, Groups::new(1)?);
        for index in 0..40 {
            assert!(groups.join(&nodes, index, 0x40 + 0x40 * index as usize));
        }
        // Not called as a method: `pin_init` has one of that name.
        for index in Iterator::chain((0..40).step_by(2), (1..40).step_by(2)) {
            let key = 0x40 + 0x40 * index as usize;
            assert!(groups.is_busy(&nodes, key));
            assert_eq!(groups.leave(&nodes, index), None);
            assert!(!groups.is_busy(&nodes, key));
        }
        Ok(())
    }
}
