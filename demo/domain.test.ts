/** The marketplace's rules, without a store. */
import { failure } from 'tidemark';
import { given } from 'tidemark/testing';
import { describe, test } from 'vitest';
import { buyService, createService, marketplace, registerUser, services, users } from './domain.ts';

const ann = { type: 'USER_REGISTERED', user_id: 'ann', name: 'Ann' };
const bob = { type: 'USER_REGISTERED', user_id: 'bob', name: 'Bob' };
const seat = { service_id: 's1', seller_id: 'ann', title: 'Seat', price: 5, quantity: 1 };
const created = { type: 'SERVICE_CREATED', ...seat };
const bought = { type: 'SERVICE_BOUGHT', service_id: 's1', buyer_id: 'bob', price: 5 };

describe('a user', () => {
  test('registers once', () => {
    given(marketplace)
      .when(registerUser, { user_id: 'ann', name: 'Ann' })
      .expect(ann)
      .expectDocument(users, 'ann', { name: 'Ann', spent: 0 })
      .when(registerUser, { user_id: 'ann', name: 'Anna' })
      .expect(failure('ALREADY_REGISTERED'))
      .expectDocument(users, 'ann', { name: 'Ann', spent: 0 });
  });

  test('may register after an attempt to buy without being registered', () => {
    given(marketplace, [ann, created])
      .when(buyService, { service_id: 's1', buyer_id: 'bob' })
      .expect(failure('UNKNOWN_BUYER'))
      .when(registerUser, { user_id: 'bob', name: 'Bob' })
      .expect(bob);
  });
});

describe('a service', () => {
  test('is created once, by a registered seller', () => {
    given(marketplace)
      .when(createService, seat)
      .expect(failure('UNKNOWN_SELLER'))
      .when(registerUser, { user_id: 'ann', name: 'Ann' })
      .when(createService, seat)
      .expect(created)
      .when(createService, { ...seat, price: 1 })
      .expect(failure('SERVICE_EXISTS'))
      .expectDocument(services, 's1', { title: 'Seat', seller_id: 'ann', price: 5, quantity: 1 });
  });

  test('is sold while there are places, at its price', () => {
    given(marketplace, [ann, bob, created])
      .when(buyService, { service_id: 's1', buyer_id: 'bob' })
      .expect(bought)
      .expectDocument(services, 's1', { title: 'Seat', seller_id: 'ann', price: 5, quantity: 0 })
      .expectDocument(users, 'bob', { name: 'Bob', spent: 5 })
      .when(buyService, { service_id: 's1', buyer_id: 'ann' })
      .expect(failure('SOLD_OUT'));
  });

  test('that nobody created is not sold, and is not created by the attempt', () => {
    given(marketplace, [bob])
      .when(buyService, { service_id: 's9', buyer_id: 'bob' })
      .expect(failure('UNKNOWN_SERVICE'))
      .when(buyService, { service_id: 's9', buyer_id: 'bob' })
      .expect(failure('UNKNOWN_SERVICE'));
  });

  test('a seller may buy from herself, and spends what anybody would', () => {
    given(marketplace, [ann, created])
      .when(buyService, { service_id: 's1', buyer_id: 'ann' })
      .expect({ ...bought, buyer_id: 'ann' })
      .expectDocument(users, 'ann', { name: 'Ann', spent: 5 });
  });
});
